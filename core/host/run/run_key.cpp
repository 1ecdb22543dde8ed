// SPDX-License-Identifier: Apache-2.0
#include "run/run_key.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/base/text.hpp"
#include "engine/saved_states.hpp"
#include "results/model_description.hpp"

namespace depthlens {
namespace {

// The values of an option that was given several times become an array.
void add_value(boost::json::object& to, const std::string& key, const std::string& value) {
  boost::json::value* there = to.if_contains(key);
  if (there == nullptr)
    to[key] = value;
  else if (there->is_array())
    there->get_array().emplace_back(value);
  else
    *there = boost::json::array{*there, value};
}

// What the rows in a log of records are: an entry's values can be read as these columns alone.
boost::json::object logged_columns(const study_session& session) {
  boost::json::object out;
  for (std::uint64_t t = 0; t < session.description().n_tables; ++t) {
    const dlens_table& table = *session.description().tables[t];
    if (table.flags & DLENS_TABLE_SUMMARY) continue;
    std::string columns;
    for (std::uint64_t c = 0; c < table.n_columns; ++c)
      columns += cat(table.columns[c]->id, ' ', table.columns[c]->type, '\n');
    out[table.id] = sha256(columns).substr(0, 16);
  }
  return out;
}

boost::json::object study_key(const study_session& session) {
  const study_plan& s = session.plan();
  boost::json::object out, options, files, datasets;
  out["columns"] = logged_columns(session);
  out["version"] = s.plugin.about.version;
  // Whoever writes a plugin builds it again under the same version; shipped ones have the program's.
  if (s.plugin.about.foreign) out["plugin_sha256"] = sha256_file(s.plugin.about.path);
  for (const auto& [key, value] : s.options) add_value(options, key, value);
  for (const auto& [key, hash] : s.file_hashes) {
    options.erase(key);  // a file counts by its content, not by its name
    add_value(files, key, hash);
  }
  for (const dataset_plan& d : s.datasets) {
    boost::json::object data;
    data["sha256"] = d.sha256;
    data["kind"] = d.kind;
    if (d.kind == "cut") {
      data["cuts"] = d.cuts.cuts;
      data["seed"] = d.cuts.seed;
    }
    datasets[d.set] = std::move(data);
  }
  out["options"] = std::move(options);
  out["files"] = std::move(files);
  out["data"] = std::move(datasets);
  return out;
}

// The same text for the same layers: "0,6-8".
std::string layers_kept(const std::string& asked, std::uint32_t n_layers) {
  const std::vector<std::uint32_t> layers = parse_layers("--save-states", asked, n_layers);
  return number_list({layers.begin(), layers.end()});
}

}  // namespace

boost::json::object make_run_key(const run_inputs& inputs, const std::string& backend) {
  const run_request& r = inputs.request;
  const opened_model& model = inputs.model;
  const model_chat* const chat = inputs.chat.get();
  boost::json::object key, studies;
  key["mode"] = r.published ? "seed-compat" : "default";
  key["target"] = r.target_gold ? "gold" : "final";
  key["bos"] = r.bos_text;
  std::string ignored;
  for (const std::string& one : r.policy.ignored) ignored += (ignored.empty() ? "" : ",") + one;
  key["ignore_config"] = std::move(ignored);
  key["backend"] = backend;
  key["precision"] = r.work.precision;
  key["experts"] = r.experts ? "on" : "off";
  key["generate"] = r.generate;
  // Where they are not asked for, an earlier command of the run may have.
  if (!r.save_states.empty()) key["states"] = layers_kept(r.save_states, model.files->arch().n_layers);
  key["chat"] = chat != nullptr ? chat->form() : "off";
  if (chat != nullptr) key["chat_template_sha256"] = chat->content_hash();
  // In the published code's mode the name is part of every file name.
  if (r.published) key["name"] = model.name;
  key["model_sha256"] = model.content_hash();
  key["tokenizer_sha256"] = model.tokens->get().content_hash();
  key["lenses"] = inputs.lenses.key();
  for (const auto& s : inputs.sessions) studies[s->word()] = study_key(*s);
  key["studies"] = std::move(studies);
  return key;
}

boost::json::object describe_run(const run_request& r, const opened_model& model) {
  boost::json::object out, data, experiments;
  describe_model(model, out);
  for (const study_plan& s : r.studies) {
    const plugin_verdict& about = s.plugin.about;
    experiments[s.word] = {{"id", about.id}, {"version", about.version}, {"sha256", sha256_file(about.path)}};
    boost::json::object sets;
    for (const dataset_plan& d : s.datasets) {
      boost::json::object one;
      one["file"] = visible(d.file.string());
      one["format"] = format_name(d.format);
      one["records"] = d.records;
      sets[d.set] = std::move(one);
    }
    data[s.word] = std::move(sets);
  }
  out["data"] = std::move(data);
  out["experiments"] = std::move(experiments);
  return out;
}

}  // namespace depthlens
