// SPDX-License-Identifier: Apache-2.0
// depthlens lens info | eval | train | fit-jacobian | merge-jacobian.
#include "commands/lens_commands.hpp"

#include "depthlens/base/nearest.hpp"

#include <iostream>

namespace depthlens {

int lens_command(const arguments& args) {
  const std::string what = args.empty() ? "--help" : args[0];
  const arguments rest(args.empty() ? args.end() : args.begin() + 1, args.end());
  if (what == "info") return lens_info_command(rest);
  if (what == "eval") return lens_eval_command(rest);
  if (what == "train") return lens_train_command(rest);
  if (what == "fit-jacobian") return lens_fit_jacobian_command(rest);
  if (what == "merge-jacobian") return lens_merge_jacobian_command(rest);
  if (what != "--help" && what != "-h")
    fail(status::usage, "lens ", what, ": expected info, eval, train, fit-jacobian or merge-jacobian",
         suggestion(what, {"info", "eval", "train", "fit-jacobian", "merge-jacobian"}));
  for (const auto part : {&lens_info_command, &lens_eval_command, &lens_train_command,
                          &lens_fit_jacobian_command, &lens_merge_jacobian_command}) {
    part({"--help"});
    std::cout << '\n';
  }
  return 0;
}

}  // namespace depthlens
