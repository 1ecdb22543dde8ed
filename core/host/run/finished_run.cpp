// SPDX-License-Identifier: Apache-2.0
#include "run/finished_run.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/text.hpp"
#include "run/shard_run.hpp"
#include "shards/shard_plan.hpp"

namespace depthlens {

manifest read_finished_run(const std::filesystem::path& dir) {
  if (!input_is_folder(dir)) fail(status::no_input, dir.string(), ": no such folder");
  refuse_folder_of_shard(dir);
  manifest m = manifest::read(dir / "run.json");
  const auto state = text_at(&m.fields, "status");
  if (m.empty() && std::filesystem::exists(dir / shard_plan::file_name))
    fail(status::no_input, dir.string(), ": its shards are not merged yet: depthlens merge ", dir.string());
  if (m.empty()) fail(status::no_input, dir.string(), ": no run.json; give the folder of a depthlens run");
  if (state != "complete" && state != "partial")
    fail(status::no_input, dir.string(), ": its run is ", visible_line(state.value_or("without a status")),
         ", not complete");
  return m;
}

}  // namespace depthlens
