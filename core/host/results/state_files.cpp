// SPDX-License-Identifier: Apache-2.0
#include "results/state_files.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/safetensors_writer.hpp"
#include "depthlens/table/csv.hpp"
#include "engine/saved_states.hpp"
#include "results/manifest.hpp"
#include "results/tables.hpp"

#include <algorithm>
#include <iomanip>
#include <map>
#include <memory>
#include <sstream>
#include <system_error>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

template <class Function>
void for_each_key(const study_session& session, const record_log& log, Function&& fn) {
  const auto wanted = within_limit(session);
  for (const std::string& set : session.sets())
    for (std::size_t n = 0; n < log.size(set); ++n)
      if (const record_key key = log.key(set, n); wanted(key)) fn(key);
}

// The file of a study's states that is being written, and the index of all.
class state_writer {
 public:
  state_writer(const states_request& request, std::uint64_t rows)
      : request_(request),
        layers_(request.session.context().state_layers),
        D_(request.session.context().d_model),
        rows_(rows),
        rows_of_file_(std::max<std::uint64_t>(1, request.most_bytes / row_bytes())),
        index_(request.folder / index_name),
        csv_([this](std::string_view bytes) { index_.write(bytes); }, csv_quotes::all_texts) {
    for (const auto& [name, is_text] : {std::pair{"file", true},
                                        {"row", false},
                                        {"study", true},
                                        {"set", true},
                                        {"prompt_id", false},
                                        {"sequence", false},
                                        {"position", false},
                                        {"token", false},
                                        {"changed", false}})
      is_text ? csv_.text(name) : csv_.name(name);
    csv_.end_row();
  }

  std::uint64_t row_bytes() const { return layers_.size() * D_ * sizeof(float); }

  void add(const record_key& key, const saved_state& state) {
    const std::uint64_t row = done_ % rows_of_file_;
    if (row == 0) next_file();
    for (std::size_t l = 0; l < layers_.size(); ++l)
      file_->write(l, row * D_, state.values.substr(l * D_ * sizeof(float), D_ * sizeof(float)));
    csv_.text(names_.back());
    csv_.integer(row);
    csv_.text(request_.session.word());
    csv_.text(key.set);
    csv_.integer(key.index);
    csv_.integer(state.sequence);
    csv_.integer(state.position);
    csv_.integer(state.token);
    csv_.integer(state.changed ? 1 : 0);
    csv_.end_row();
    ++done_;
  }

  // The last file, then what describes all.
  void finish(written_states& out) {
    close_file();
    if (done_ != rows_) fail(status::io, "the log of states has ", done_, " rows, expected ", rows_);
    for (const std::string& name : names_) {
      const fs::path file = request_.folder / name;
      out.files.push_back({name, {fs::file_size(file), sha256_file(file)}});
    }
    out.files.push_back({index_name, index_.commit()});
    hashed_file about(request_.folder / about_name);
    about.write(pretty(describe(out)) + "\n");
    out.files.push_back({about_name, about.commit()});
  }

 private:
  static constexpr const char *index_name = "index.csv", *about_name = "states.json";

  std::uint64_t rows_in_file(std::size_t number) const {
    return std::min(rows_of_file_, rows_ - number * rows_of_file_);
  }

  void close_file() {
    if (file_) file_->commit();
    file_.reset();
  }

  void next_file() {
    close_file();
    if (done_ >= rows_) fail(status::io, "the log of states has more than ", rows_, " rows");
    std::vector<tensor_shape> tensors;
    for (const std::uint32_t l : layers_)
      tensors.push_back({cat("layer.", l), {rows_in_file(names_.size()), D_}});
    std::ostringstream name;
    name << "states-" << std::setw(5) << std::setfill('0') << names_.size() + 1 << ".safetensors";
    names_.push_back(name.str());
    const std::map<std::string, std::string> texts = {{"study", request_.session.word()},
                                                      {"first_row", cat(done_)}};
    file_ =
        std::make_unique<safetensors_file_writer>(request_.folder / names_.back(), std::move(tensors), texts);
  }

  boost::json::object describe(const written_states& states) const {
    const run_context& c = request_.session.context();
    boost::json::array files;
    for (std::size_t i = 0; i < names_.size(); ++i)
      files.push_back({{"file", names_[i]}, {"first_row", i * rows_of_file_}, {"rows", rows_in_file(i)}});
    boost::json::object out;
    out["study"] = request_.session.word();
    out["model"] = {{"name", visible(c.name)}, {"sha256", request_.model_sha256}};
    out["n_layers"] = c.n_layers;
    out["d_model"] = c.d_model;
    out["layers"] = boost::json::array(layers_.begin(), layers_.end());
    out["dtype"] = "F32";
    out["tensors"] =
        "layer.I of (rows, d_model): the residual stream that enters block I; layer.n_layers is the "
        "output of the last block, before the final norm";
    out["order"] = "data set, prompt_id, order of reading; each place of a prompt once";
    out["records"] = states.records;
    out["rows"] = rows_;
    out["files"] = std::move(files);
    return out;
  }

  const states_request& request_;
  const std::vector<std::uint32_t>& layers_;
  const std::uint64_t D_, rows_, rows_of_file_;
  hashed_file index_;
  csv_writer csv_;
  std::vector<std::string> names_;
  std::unique_ptr<safetensors_file_writer> file_;
  std::uint64_t done_ = 0;  // rows
};

}  // namespace

std::uint64_t records_with_states(const study_session& session, const record_log& log) {
  std::uint64_t n = 0;
  for_each_key(session, log, [&](const record_key&) { ++n; });
  return n;
}

std::optional<written_states> write_states(const states_request& request, const std::atomic<bool>& stop) {
  written_states out;
  for_each_key(request.session, request.log, [&](const record_key& key) {
    ++out.records;
    out.rows += request.log.rows(key);
  });
  state_writer to(request, out.rows);
  auto records = request.log.read(request.session.sets(), within_limit(request.session));
  while (const auto record = records.next()) {
    if (stop) return std::nullopt;
    for (const logged_row& row : record->rows()) to.add(record->key(), state_of_row(row, to.row_bytes()));
  }
  to.finish(out);
  return out;
}

std::uint64_t bytes_of_states(const run_context& context, std::uint64_t rows) {
  return rows * context.state_layers.size() * context.d_model * sizeof(float);
}

void refuse_too_little_space(const fs::path& folder, std::uint64_t bytes) {
  std::error_code code;
  const fs::space_info space = fs::space(folder, code);
  if (code || space.available >= bytes) return;
  fail(status::io, folder.string(), ": the states take about ", (bytes >> 20) + 1, " MiB more, and ",
       space.available >> 20, " MiB are free there; choose fewer layers in --save-states, or another --out");
}

}  // namespace depthlens
