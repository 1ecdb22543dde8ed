// SPDX-License-Identifier: Apache-2.0
#include "commands/experiment_options.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/base/io_error.hpp"

#include <boost/any.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <span>

namespace depthlens {
namespace {

namespace po = boost::program_options;

std::span<const dlens_option* const> options_of(const study_plan& s) {
  return {s.plugin.table->options, s.plugin.table->n_options};
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

const char* value_name(const dlens_option& o) {
  switch (o.type) {
    case DLENS_OPTION_BOOL:
      return "BOOL";
    case DLENS_OPTION_I64:
      return "N";
    case DLENS_OPTION_F64:
      return "X";
    case DLENS_OPTION_FILE:
      return "FILE";
    case DLENS_OPTION_CHOICE:
      return "CHOICE";
    default:
      return "TEXT";
  }
}

bool is_repeated(const dlens_option& o) { return (o.flags & DLENS_GIVEN_REPEATEDLY) != 0; }

const po::value_semantic* semantic(const dlens_option& o, bool repeated) {
  if (repeated) return po::value<std::vector<std::string>>()->value_name(value_name(o));
  auto* v = po::value<std::string>()->value_name(value_name(o));
  return o.type == DLENS_OPTION_BOOL ? v->implicit_value("true", "true") : v;
}

std::vector<std::string> choices_of(const dlens_option& o) {
  std::vector<std::string> out;
  for (const char* const* c = o.choices; c != nullptr && *c != nullptr; ++c) out.emplace_back(*c);
  return out;
}

// An option of one or several experiments, as its help says it.
struct declared_option {
  const dlens_option* first = nullptr;
  std::vector<std::string> words;                                       // experiments that have it
  std::vector<std::pair<std::string, std::vector<std::string>>> texts;  // what each says of it -> experiments
  std::vector<std::string> choices;                        // of any of them, in the order in which they come
  std::map<std::string, std::vector<std::string>> takers;  // choice -> experiments
  std::map<std::string, std::vector<std::string>> defaults;  // value -> experiments
  std::vector<std::string> repeated;                         // experiments that take it several times

  void add(const dlens_option& o, const std::string& word) {
    if (first == nullptr) first = &o;
    words.push_back(word);
    const auto said =
        std::find_if(texts.begin(), texts.end(), [&](const auto& t) { return t.first == o.help; });
    if (said == texts.end())
      texts.push_back({o.help, {word}});
    else
      said->second.push_back(word);
    for (const std::string& c : choices_of(o)) {
      if (!takers.contains(c)) choices.push_back(c);
      takers[c].push_back(word);
    }
    if (o.fallback != nullptr) defaults[o.fallback].push_back(word);
    if (is_repeated(o)) repeated.push_back(word);
  }

  std::string help() const {
    std::string out;
    for (const auto& [text, of] : texts) {
      const bool last = &text == &texts.back().first;
      out += cat(text, " (", joined(of), last ? "" : "); ");
    }
    std::vector<std::string> of_all, of_some;
    for (const std::string& c : choices) {
      const std::vector<std::string>& of = takers.at(c);
      of.size() == words.size() ? of_all.push_back(c) : of_some.push_back(c + " for " + joined(of));
    }
    if (!of_all.empty()) out += "; " + joined(of_all);
    for (const std::string& c : of_some) out += "; " + c;
    for (const auto& [value, of] : defaults) {
      out += cat("; default ", value);
      if (defaults.size() > 1) out += " for " + joined(of);
    }
    if (!repeated.empty()) out += "; may be given several times";
    if (!repeated.empty() && repeated.size() < words.size()) out += " for " + joined(repeated);
    return out + ")";
  }
};

// min >= max: no bounds.
template <class Number>
void check_number(const std::string& where, const std::string& value, Number min, Number max) {
  Number n{};
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), n);
  const bool bounded = min < max;
  if (code != std::errc{} || end != value.data() + value.size() || !std::isfinite(static_cast<double>(n)) ||
      (bounded && (n < min || n > max)))
    fail(status::usage, where, ' ', value, ": expected a ", std::is_integral_v<Number> ? "whole " : "",
         "number", bounded ? cat(" from ", min, " to ", max) : "");
}

std::string checked_value(const std::string& where, const dlens_option& o, const std::string& value) {
  if (o.type == DLENS_OPTION_I64) check_number(where, value, o.least, o.most);
  if (o.type == DLENS_OPTION_F64) check_number(where, value, o.min, o.max);
  if (o.type == DLENS_OPTION_BOOL) {
    if (value == "true" || value == "yes" || value == "1") return "true";
    if (value == "false" || value == "no" || value == "0") return "false";
    fail(status::usage, where, ' ', value, ": expected true or false");
  }
  if (o.type == DLENS_OPTION_CHOICE) {
    for (const char* const* c = o.choices; c != nullptr && *c != nullptr; ++c)
      if (value == *c) return value;
    fail(status::usage, where, ' ', value, ": expected one of ", joined(choices_of(o)));
  }
  if (o.type == DLENS_OPTION_FILE && !input_is_file(value))
    fail(status::no_input, where, ' ', value,
         !input_exists(value)     ? ": no such file"
         : input_is_folder(value) ? ": is a folder, expected a file"
                                  : ": is not a regular file; save it to a file first");
  return value;
}

// What the command line gives for an option of an experiment; its default where nothing is.
std::vector<std::string> values_of(const parsed_options& given, const dlens_option& o,
                                   const std::string& word) {
  const std::string own = cat(word, ".", o.id);
  const std::string id = given.has(own.c_str()) ? own : o.id;
  if (!given.has(id.c_str()))
    return o.fallback == nullptr ? std::vector<std::string>{} : std::vector<std::string>{o.fallback};
  const boost::any& any = given.values[id].value();
  std::vector<std::string> out;
  if (const auto* several = boost::any_cast<std::vector<std::string>>(&any))
    out = *several;
  else
    out = {boost::any_cast<std::string>(any)};
  if (out.size() > 1 && !is_repeated(o))
    fail(status::usage, "--", id, " is given ", out.size(), " times; ", word, " takes it once");
  for (std::string& value : out) value = checked_value("--" + id, o, value);
  return out;
}

}  // namespace

experiment_options::experiment_options(const std::vector<study_plan>& studies)
    : description_("Of the experiments") {
  std::map<std::string, declared_option> shared;  // by id
  for (const study_plan& s : studies)
    for (const dlens_option* o : options_of(s)) shared[o->id].add(*o, s.word);
  for (const auto& [id, option] : shared)
    description_.add_options()(id.c_str(), semantic(*option.first, !option.repeated.empty()),
                               option.help().c_str());
  for (const study_plan& s : studies)
    for (const dlens_option* o : options_of(s))
      description_.add_options()(cat(s.word, ".", o->id).c_str(), semantic(*o, is_repeated(*o)),
                                 cat("--", o->id, " for ", s.word, " alone").c_str());
}

void experiment_options::apply(const parsed_options& given, study_plan& study) const {
  for (const dlens_option* o : options_of(study))
    for (const std::string& value : values_of(given, *o, study.word)) {
      study.options.emplace_back(o->id, value);
      if (o->type == DLENS_OPTION_FILE) study.file_hashes.emplace_back(o->id, sha256_file(value));
    }
}

}  // namespace depthlens
