// SPDX-License-Identifier: Apache-2.0
#include "training/held_training.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/base/text.hpp"
#include "results/model_description.hpp"
#include "results/run_device.hpp"
#include "terminal/log.hpp"
#include "version.hpp"

#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

const fs::path& without_former(const train_request& request) {
  if (request.fresh)
    if (const fs::path old = move_aside(request.out); !old.empty())
      log_info(cat("the former training is now ", old.string()));
  return request.out;
}

// What the lens depends on.
boost::json::object training_key(const train_request& request, const opened_model& model,
                                 const std::string& backend) {
  boost::json::object out;
  out["mode"] = "lens train";
  out["model_sha256"] = model.content_hash();
  out["tokenizer_sha256"] = model.tokens->get().content_hash();
  out["text_sha256"] = sha256_file(request.text);
  if (request.validation_file.empty())
    out["validation_share"] = request.validation_share;
  else
    out["validation_sha256"] = sha256_file(request.validation_file);
  out["bos"] = request.bos_text;
  out["backend"] = backend;
  out["precision"] = request.work.precision;
  out["training"] = options_of(request);
  return out;
}

}  // namespace

held_training::held_training(const train_request& request, const opened_model& model,
                             const training_text& text)
    : folder_(without_former(request)),
      manifest_(manifest::read(folder_.manifest())),
      backend_(backend_word(manifest_.fields, request.work.backend)) {
  boost::json::object key = training_key(request, model, backend_);
  refuse_other_key(manifest_, key, root(), "training of another configuration");
  fields()["key"] = std::move(key);
  fields()["text"] = {{"file", visible(request.text.string())},
                      {"positions", positions_of(text.train)},
                      {"held_out_positions", positions_of(text.held_out)}};
  fields()["depthlens"] = DEPTHLENS_VERSION;
  fields()["format"] = manifest::format;
  describe_model(model, fields());
}

void held_training::set_backend(const std::string& word) {
  backend_ = word;
  fields()["key"].as_object()["backend"] = word;
}

bool held_training::is_finished() const {
  return is_complete(manifest_.fields) && fs::exists(root() / "params.pt");
}

void held_training::write(const char* status) {
  folder_.lock().check_now();
  fields()["status"] = status;
  write_as_it_is();
}

}  // namespace depthlens
