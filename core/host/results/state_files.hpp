// SPDX-License-Identifier: Apache-2.0
// The states that a run keeps of a study, as files for other programs, made of its log of states: safetensors
// files of one tensor (rows, D) for each layer, a CSV that says what each row is, a JSON that says what the
// layers are. Rows come in order of data set, record and reading, and go on from file to file.
#pragma once

#include "engine/study_session.hpp"
#include "log/record_log.hpp"
#include "results/hashed_file.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace depthlens {

struct states_request {
  const study_session& session;
  const record_log& log;
  std::filesystem::path folder;
  std::string model_sha256;
  std::uint64_t most_bytes = std::uint64_t{1} << 30;  // of the tensors in a file
};

struct written_states {
  std::vector<std::pair<std::string, file_digest>> files;  // names within the folder
  std::uint64_t records = 0, rows = 0;
};

// The records of the log that the run asks for.
std::uint64_t records_with_states(const study_session& session, const record_log& log);

// Each file appears when it is complete. Memory: one record's states. Nothing where `stop` became true first.
// Errors: those of atomic_file and of the log.
std::optional<written_states> write_states(const states_request& request, const std::atomic<bool>& stop);

// Bytes of the values of so many rows.
std::uint64_t bytes_of_states(const run_context& context, std::uint64_t rows);

// Throws status::io where the file system of a folder has less free space than so many bytes; silent where it
// does not say.
void refuse_too_little_space(const std::filesystem::path& folder, std::uint64_t bytes);

}  // namespace depthlens
