// SPDX-License-Identifier: Apache-2.0
#include "run/run_key.hpp"

#include "depthlens/base/text.hpp"
#include "results/model_description.hpp"

namespace depthlens {
namespace {

boost::json::object study_key(const study_plan& s) {
  boost::json::object out, options, files, datasets;
  out["version"] = s.plugin.about.version;
  for (const auto& [key, value] : s.options) options[key] = value;
  for (const auto& [key, hash] : s.file_hashes) {
    options.erase(key);  // a file counts by its content, not by its name
    files[key] = hash;
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

}  // namespace

boost::json::object make_run_key(const run_request& r, const opened_model& model, const run_lenses& lenses,
                                 const std::string& backend) {
  boost::json::object key, studies;
  key["mode"] = r.published ? "seed-compat" : "default";
  key["target"] = r.target_gold ? "gold" : "final";
  key["bos"] = r.bos_text;
  std::string ignored;
  for (const std::string& one : r.policy.ignored) ignored += (ignored.empty() ? "" : ",") + one;
  key["ignore_config"] = std::move(ignored);
  key["backend"] = backend;
  key["precision"] = r.work.precision;
  // In the published code's mode the name is part of every file name.
  if (r.published) key["name"] = model.name;
  key["model_sha256"] = model.content_hash();
  key["tokenizer_sha256"] = model.tokens->get().content_hash();
  key["lenses"] = lenses.key();
  for (const study_plan& s : r.studies) studies[s.word] = study_key(s);
  key["studies"] = std::move(studies);
  return key;
}

boost::json::object describe_run(const run_request& r, const opened_model& model) {
  boost::json::object out, data;
  describe_model(model, out);
  for (const study_plan& s : r.studies) {
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
  return out;
}

}  // namespace depthlens
