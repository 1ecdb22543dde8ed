// SPDX-License-Identifier: Apache-2.0
// Opens a data file: which format it has, which kinds of records that gives, and the reader of each; the
// table detail::readers says which. The fields that the records of a kind have stand with dlens_input in
// abi/experiment.h. Records that are left out come last.
#pragma once

#include <depthlens/data/conllu.hpp>
#include <depthlens/data/csv_rows.hpp>
#include <depthlens/data/cuts.hpp>
#include <depthlens/data/json_records.hpp>
#include <depthlens/data/json_rows.hpp>
#include <depthlens/data/record_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace depthlens {

enum class file_format { rows_json, rows_jsonl, rows_csv, rows_tsv, mquake, counterfact, conllu, text };

inline std::string_view format_name(file_format format) noexcept {
  switch (format) {
    case file_format::rows_json:
      return "JSON rows";
    case file_format::rows_jsonl:
      return "JSONL rows";
    case file_format::rows_csv:
      return "CSV rows";
    case file_format::rows_tsv:
      return "TSV rows";
    case file_format::mquake:
      return "MQuAKE";
    case file_format::counterfact:
      return "CounterFact";
    case file_format::conllu:
      return "CoNLL-U";
    case file_format::text:
      return "plain text";
  }
  return "unknown";
}

namespace detail {

inline constexpr std::string_view accepted_formats =
    "accepted are a JSON list of rows {\"prompt\", \"answer\"} or of MQuAKE or CounterFact entries (.json), "
    "such rows one per line (.jsonl) or as a table with a header row (.csv, .tsv), CoNLL-U (.conllu) and "
    "plain text (.txt)";

inline file_format detect_json_list(const std::filesystem::path& path) {
  json_items items(path, json_form::list);
  boost::json::value first;
  if (!items.next(first)) return file_format::rows_json;
  const boost::json::object& object = require_object(items, &first, "the row");
  if (object.contains("single_hops")) return file_format::mquake;
  if (object.contains("requested_rewrite")) return file_format::counterfact;
  if (is_row(object)) return file_format::rows_json;
  items.fail_item(
      "has none of the keys \"prompt\", \"single_hops\", \"requested_rewrite\", nor \"question\" with "
      "\"choices\"; ",
      accepted_formats);
}

// JSON is told by its first character: a list, or rows one per line under a .json name.
inline file_format detect_json(const std::filesystem::path& path) {
  byte_source source(path);
  while (source.peek() == ' ' || (source.peek() >= '\t' && source.peek() <= '\r')) source.get();
  if (source.peek() == '[') return detect_json_list(path);
  if (source.peek() != '{') source.fail_at(source.line(), "the file is no JSON data; ", accepted_formats);
  json_items items(path, json_form::lines);
  boost::json::value first;
  bool has_row = false;
  try {
    has_row = items.next(first) && is_row(first.get_object());
  } catch (const error&) {
    // An object over several lines: whatever it is, it is no row.
  }
  if (has_row) return file_format::rows_jsonl;
  source.fail_at(source.line(), "the file is one JSON object, not a list of rows; ", accepted_formats);
}

}  // namespace detail

// The format of a file by its extension, and for .json by its first item. Throws status::data where it is
// none of those that are read, and what byte_source throws where the file cannot be opened.
inline file_format detect_format(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const byte_source source(path);  // a missing file is reported as that, not as an unknown format
  if (extension == ".json") return detail::detect_json(path);
  if (extension == ".jsonl" || extension == ".ndjson") return file_format::rows_jsonl;
  if (extension == ".csv") return file_format::rows_csv;
  if (extension == ".tsv") return file_format::rows_tsv;
  if (extension == ".conllu") return file_format::conllu;
  if (extension == ".txt") return file_format::text;
  fail(status::data, path.string(), ": the name ends in \"", extension, "\", which tells no format; ",
       detail::accepted_formats);
}

namespace detail {

using opened = std::unique_ptr<record_reader>;

template <class Reader, auto... Options>
opened open_as(const std::filesystem::path& path, const cut_options&) {
  return std::make_unique<Reader>(path, Options...);
}

inline opened open_mquake(const std::filesystem::path& path, const cut_options&) {
  return std::make_unique<left_out_last>([path] { return std::make_unique<mquake_reader>(path); });
}

template <class Paragraphs>
opened open_cuts(const std::filesystem::path& path, const cut_options& options) {
  if (options.cuts == 0) fail(status::usage, "the number of cuts per paragraph must be 1 or more");
  return std::make_unique<left_out_last>([path, options] {
    std::unique_ptr<paragraph_source> paragraphs;
    if constexpr (std::is_same_v<Paragraphs, conllu_paragraphs>)
      paragraphs = std::make_unique<Paragraphs>(path, options.min_paragraph);
    else
      paragraphs = std::make_unique<Paragraphs>(path);
    return std::make_unique<cut_reader>(std::move(paragraphs), options);
  });
}

// Which kinds of records a format gives, and what reads them.
struct reader_entry {
  file_format format;
  std::string_view kind;
  opened (*open)(const std::filesystem::path&, const cut_options&);
};
inline constexpr reader_entry readers[] = {
    {file_format::rows_json, "prompt", open_as<row_reader, json_form::list>},
    {file_format::rows_jsonl, "prompt", open_as<row_reader, json_form::lines>},
    {file_format::rows_csv, "prompt", open_as<csv_row_reader, ','>},
    {file_format::rows_tsv, "prompt", open_as<csv_row_reader, '\t'>},
    {file_format::mquake, "fact", open_mquake},
    {file_format::counterfact, "fact", open_as<counterfact_reader>},
    {file_format::conllu, "sentence", open_as<sentence_reader>},
    {file_format::conllu, "cut", open_cuts<conllu_paragraphs>},
    {file_format::text, "cut", open_cuts<text_paragraphs>},
};

inline const reader_entry* find_reader(file_format format, std::string_view kind) noexcept {
  for (const reader_entry& r : readers)
    if (r.format == format && r.kind == kind) return &r;
  return nullptr;
}

}  // namespace detail

// Does a format give records of a kind?
inline bool gives(file_format format, std::string_view kind) noexcept {
  return detail::find_reader(format, kind) != nullptr;
}

// The formats that give a kind, in words for messages.
inline std::string_view formats_of_kind(std::string_view kind) noexcept {
  if (kind == "prompt") return "rows (JSON, JSONL, CSV, TSV)";
  if (kind == "fact") return "facts in MQuAKE or CounterFact form";
  if (kind == "sentence") return "sentences with tags (CoNLL-U)";
  return "text (CoNLL-U or plain text)";
}

// Opens a file for reading records of one kind, which its format must give: others, and zero cuts, are
// status::usage. The options are for "cut" alone.
inline std::unique_ptr<record_reader> open_records(const std::filesystem::path& path, file_format format,
                                                   std::string_view kind, const cut_options& options = {}) {
  const detail::reader_entry* r = detail::find_reader(format, kind);
  if (r == nullptr)
    fail(status::usage, path.string(), ": records of kind \"", kind, "\" cannot be read from ",
         format_name(format));
  return r->open(path, options);
}

}  // namespace depthlens
