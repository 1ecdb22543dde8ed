// SPDX-License-Identifier: Apache-2.0
// Records from the JSON forms of facts: MQuAKE cases and CounterFact entries. Nothing is filtered by length
// or de-duplicated here: that is the experiments' part.
#pragma once

#include <depthlens/data/json_items.hpp>
#include <depthlens/data/json_text.hpp>
#include <depthlens/data/record_reader.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace depthlens {

// MQuAKE: every hop of every case's "single_hops" (the unedited facts): "cloze" is the prompt, "answer" the
// answer. A hop where one of them is empty or missing is left out: "no prompt" or "no answer". The subject is
// that of the hop's triple in "orig", where there is one for each hop.
class mquake_reader final : public record_reader {
 public:
  explicit mquake_reader(const std::filesystem::path& path) : items_(path, json_form::list) {}

  bool next(record& out) override {
    while (hop_ == hops().size())
      if (!next_case()) return false;
    const boost::json::value* value = &hops()[hop_++];
    const boost::json::object& hop =
        detail::require_object(items_, value, cat("single_hops[", hop_ - 1, "]"));
    out = {.index = index_++, .kind = "fact"};
    for (const auto& [key, name, missing] :
         {std::array{"answer", "answer", "no answer"}, std::array{"cloze", "prompt", "no prompt"}}) {
      std::optional<std::string> text = detail::optional_text(items_, hop, key);
      if (text && !text->empty())
        out.fields.emplace(out.fields.begin(), name, *std::move(text));
      else
        out.left_out = missing;
    }
    if (std::optional<std::string> subject = subject_of(hop_ - 1))
      out.fields.emplace_back("subject", *std::move(subject));
    detail::add_scalar(out, case_.get_object(), "case_id", "case_id");
    detail::refuse_nul(items_, out);
    return true;
  }

 private:
  // From orig.triples_labeled, [[subject, relation, object], ...].
  std::optional<std::string> subject_of(std::size_t hop) const {
    const boost::json::value* orig = case_.get_object().if_contains("orig");
    const boost::json::value* triples =
        orig != nullptr && orig->is_object() ? orig->get_object().if_contains("triples_labeled") : nullptr;
    if (triples == nullptr || !triples->is_array() || triples->get_array().size() != hops().size())
      return std::nullopt;
    const boost::json::value& triple = triples->get_array()[hop];
    if (!triple.is_array() || triple.get_array().empty() || !triple.get_array()[0].is_string())
      return std::nullopt;
    return std::string(triple.get_array()[0].get_string());
  }
  const boost::json::array& hops() const {
    static const boost::json::array none;
    return case_.is_null() ? none : case_.get_object().at("single_hops").get_array();
  }

  bool next_case() {
    boost::json::value item;
    if (!items_.next(item)) return false;
    const boost::json::object& object = detail::require_object(items_, &item, "the case");
    const boost::json::value* hops = object.if_contains("single_hops");
    if (hops == nullptr || !hops->is_array()) items_.fail_item("\"single_hops\" is not there or not a list");
    case_ = std::move(item);
    hop_ = 0;
    return true;
  }

  json_items items_;
  boost::json::value case_;  // null before the first
  std::size_t hop_ = 0;
  std::uint64_t index_ = 0;
};

// CounterFact: "requested_rewrite" has a prompt template with one "{}", the subject that goes there, the true
// answer ("answer") and the counterfactual one ("other"); the subject is a field too.
class counterfact_reader final : public record_reader {
 public:
  explicit counterfact_reader(const std::filesystem::path& path) : items_(path, json_form::list) {}

  bool next(record& out) override {
    boost::json::value item;
    if (!items_.next(item)) return false;
    const boost::json::object& entry = detail::require_object(items_, &item, "the entry");
    const boost::json::object& rewrite =
        detail::require_object(items_, entry.if_contains("requested_rewrite"), "\"requested_rewrite\"");
    out = {.index = items_.read() - 1, .kind = "fact"};
    out.fields.emplace_back("prompt", fill(rewrite));
    out.fields.emplace_back("answer", target(rewrite, "target_true"));
    out.fields.emplace_back("other", target(rewrite, "target_new"));
    out.fields.emplace_back("subject", detail::require_text(items_, rewrite, "subject"));
    detail::add_scalar(out, entry, "case_id", "case_id");
    detail::add_scalar(out, rewrite, "relation_id", "relation");
    detail::refuse_nul(items_, out);
    return true;
  }

 private:
  std::string fill(const boost::json::object& rewrite) const {
    std::string prompt = detail::require_text(items_, rewrite, "prompt");
    const std::size_t at = prompt.find("{}");
    if (at == std::string::npos || prompt.find("{}", at + 2) != std::string::npos)
      items_.fail_item("the prompt template must have exactly one {}, the place of the subject");
    return prompt.replace(at, 2, detail::require_text(items_, rewrite, "subject"));
  }

  std::string target(const boost::json::object& rewrite, std::string_view key) const {
    const boost::json::value* value = rewrite.if_contains({key.data(), key.size()});
    return detail::require_text(items_, detail::require_object(items_, value, detail::quoted_key(key)),
                                "str");
  }

  json_items items_;
};

}  // namespace depthlens
