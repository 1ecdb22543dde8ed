#!/bin/bash
# The same with Parquet and Arrow files, of which alone that package is made.
set -e
cmake -G Ninja -B build ${CMAKE_ARGS} -DCMAKE_BUILD_TYPE=Release -DDEPTHLENS_TESTS=OFF -DDEPTHLENS_TORCH=OFF \
  -DDEPTHLENS_ARROW=ON -DDEPTHLENS_ARROW_DIR="$PREFIX"
cmake --build build --target tables-arrow
