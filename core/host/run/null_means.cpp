// SPDX-License-Identifier: Apache-2.0
#include "run/null_means.hpp"

#include "process/stop_signal.hpp"
#include "results/output_digests.hpp"
#include "terminal/log.hpp"

#include <filesystem>
#include <string>
#include <utility>

namespace depthlens {
namespace {

constexpr const char* mean_file = "null_mean.safetensors";  // beside run.json
constexpr std::uint64_t records_averaged = 256;             // the first of the run

std::optional<mean_states> read_means(const architecture& a, held_run& run, const std::string& wanted) {
  const std::filesystem::path root = run.folder().root();
  const output_state state = state_of_output(run.fields(), root, mean_file);
  try {
    std::optional<mean_states> there;
    if (state == output_state::as_written || state == output_state::not_noted)
      there = mean_states::read(root / mean_file, a.n_layers, a.d_model);
    if (there && there->sha256() == wanted) {
      note_output(run.fields(), root, mean_file);  // a run.json without "outputs" gets its note here
      return there;
    }
  } catch (const error&) {  // not there, or damaged
  }
  log_warning(cat("not as the run wrote it, and made again: ", mean_file));
  return std::nullopt;
}

}  // namespace

std::optional<null_means> take_null_means(const run_inputs& inputs, held_run& run, run_backend& backend) {
  const architecture& a = inputs.model.files->arch();
  const std::filesystem::path file = run.folder().root() / mean_file;
  const auto wanted = text_at(object_at(&run.fields(), "key"), "null_mean");
  if (wanted)
    if (std::optional<mean_states> kept = read_means(a, run, *wanted)) {
      log_info("--null mean: the states that this run began with");
      return null_means{.states = *std::move(kept)};
    }
  std::optional<mean_states> made =
      mean_of_states(inputs.context, inputs.sessions, backend.evaluator_of_states(), a.d_model,
                     records_averaged, stop_asked());
  if (!made) return std::nullopt;
  log_info(cat("--null mean: states of ", made->positions, " positions"));
  if (wanted && made->sha256() != *wanted)
    fail(status::data, file.string(),
         ": is not what the run wrote, and this command gives other mean states: ",
         "put the file back, give the command that began the run, or --fresh to begin anew");
  run.folder().lock().check_now();
  made->write(file);
  note_output(run.fields(), run.folder().root(), mean_file);
  return null_means{.states = *std::move(made), .made = true};
}

std::optional<std::string> copy_null_means(const manifest& about, const std::filesystem::path& from,
                                           const std::filesystem::path& to) {
  auto sha256 = text_at(object_at(&about.fields, "key"), "null_mean");
  if (sha256 && std::filesystem::exists(from / mean_file) && !std::filesystem::exists(to / mean_file))
    std::filesystem::copy_file(from / mean_file, to / mean_file);
  return sha256;
}

}  // namespace depthlens
