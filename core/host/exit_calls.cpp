// SPDX-License-Identifier: Apache-2.0
// The program's own exit, _exit, _Exit and quick_exit. Symbols of the program come before those of libraries,
// so plugins call these: one that would end a run without its tables is named instead. All other calls go on
// to the C library. Part of the program alone, not of the library that tests link.
#include "process/last_words.hpp"
#include "process/signal_line.hpp"

#include <dlfcn.h>

#define DEPTHLENS_STANDS_IN extern "C" __attribute__((visibility("default"), noreturn)) void

namespace {

[[noreturn]] void go_on(const char* name, int code) {
  if (void* const next = ::dlsym(RTLD_NEXT, name)) reinterpret_cast<void (*)(int)>(next)(code);
  depthlens::end_process(code);
}

}  // namespace

DEPTHLENS_STANDS_IN exit(int code) {
  depthlens::refuse_exit_of_plugin("exit", code);
  go_on("exit", code);
}
DEPTHLENS_STANDS_IN quick_exit(int code) {
  depthlens::refuse_exit_of_plugin("quick_exit", code);
  go_on("quick_exit", code);
}
DEPTHLENS_STANDS_IN _exit(int code) {
  depthlens::refuse_exit_of_plugin("_exit", code);
  depthlens::end_process(code);
}
DEPTHLENS_STANDS_IN _Exit(int code) {
  depthlens::refuse_exit_of_plugin("_Exit", code);
  depthlens::end_process(code);
}
