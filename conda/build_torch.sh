#!/bin/bash
# The same with the torch backend, of which alone that package is made.
set -e
cmake -G Ninja -B build ${CMAKE_ARGS} -DCMAKE_BUILD_TYPE=Release -DDEPTHLENS_TESTS=OFF -DDEPTHLENS_TORCH=ON \
  -DDEPTHLENS_LIBTORCH_DIR="$PREFIX" -DDEPTHLENS_ARROW=OFF
cmake --build build --target backend-torch torch-engine
