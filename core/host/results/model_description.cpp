// SPDX-License-Identifier: Apache-2.0
#include "results/model_description.hpp"

#include "depthlens/base/text.hpp"

#include <utility>

namespace depthlens {

void describe_model(const opened_model& model, boost::json::object& out) {
  const architecture& a = model.files->arch();
  boost::json::object about, tokens;
  about["name"] = model.name;
  about["path"] = visible(model.path.string());
  about["architecture"] = a.family;
  about["n_layers"] = a.n_layers;
  about["d_model"] = a.d_model;
  about["vocab_size"] = a.vocab_size;
  about["max_positions"] = a.max_positions;
  tokens["kind"] = model.tokens->get().kind();
  tokens["ids"] = model.tokens->get().size();
  // Rows that no token id has, and ids that no row has.
  const std::size_t ids = model.tokens->get().size();
  about["rows_without_id"] = a.vocab_size > ids ? a.vocab_size - ids : 0;
  tokens["ids_without_row"] = ids > a.vocab_size ? ids - a.vocab_size : 0;
  boost::json::array prefix;
  for (const std::int32_t id : model.tokens->prefix()) prefix.push_back(id);
  tokens["prefix"] = std::move(prefix);
  out["model"] = std::move(about);
  out["tokenizer"] = std::move(tokens);
}

}  // namespace depthlens
