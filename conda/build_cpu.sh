#!/bin/bash
# In rattler-build's work folder: everything but the torch backend.
set -e
cmake -G Ninja -B build ${CMAKE_ARGS} -DCMAKE_BUILD_TYPE=Release -DDEPTHLENS_TESTS=OFF -DDEPTHLENS_TORCH=OFF \
  -DDEPTHLENS_ARROW=OFF
cmake --build build
