// SPDX-License-Identifier: Apache-2.0
// The program depthlens-validate, for authors of plugins.
#include "commands/command.hpp"
#include "terminal/log.hpp"

#include <exception>

int main(int argc, char** argv) {
  using namespace depthlens;
  try {
    return check_plugins_command({argv + 1, argv + argc}, "depthlens-validate");
  } catch (const error& e) {
    log_error(e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    log_error(cat("internal: ", e.what()));
    return static_cast<int>(status::internal);
  }
}
