// SPDX-License-Identifier: Apache-2.0
// Opens a data file: which format it has, and the reader that gives its records.
//
// kind        formats            fields
// "prompt"    rows_json(l)       prompt; answer, text where given; further scalar values of the row; options
//             rows_csv, rows_tsv the same without options
// "fact"      mquake             prompt, answer; case_id where given
//             counterfact        prompt, answer, other (counterfactual); case_id, relation where given
// "sentence"  conllu             text, and the tagged words
// "cut"       conllu, text       prompt, text (the paragraph)
//
// Facts and cuts may be left out (record.left_out); these come last.
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
    "plain "
    "text (.txt)";

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

// Opens a file for reading records of one kind; the table above says which kinds a format has. Others, and
// zero cuts, are status::usage. The options are for "cut" alone.
inline std::unique_ptr<record_reader> open_records(const std::filesystem::path& path, file_format format,
                                                   std::string_view kind, const cut_options& options = {}) {
  if (kind == "prompt" && format == file_format::rows_json)
    return std::make_unique<row_reader>(path, json_form::list);
  if (kind == "prompt" && format == file_format::rows_jsonl)
    return std::make_unique<row_reader>(path, json_form::lines);
  if (kind == "prompt" && (format == file_format::rows_csv || format == file_format::rows_tsv))
    return std::make_unique<csv_row_reader>(path, format == file_format::rows_csv ? ',' : '\t');
  if (kind == "fact" && format == file_format::mquake)
    return std::make_unique<left_out_last>([path] { return std::make_unique<mquake_reader>(path); });
  if (kind == "fact" && format == file_format::counterfact) return std::make_unique<counterfact_reader>(path);
  if (kind == "sentence" && format == file_format::conllu) return std::make_unique<sentence_reader>(path);
  if (kind != "cut" || (format != file_format::conllu && format != file_format::text))
    fail(status::usage, path.string(), ": records of kind \"", kind, "\" cannot be read from ",
         format_name(format));
  if (options.cuts == 0) fail(status::usage, "the number of cuts per paragraph must be 1 or more");
  return std::make_unique<left_out_last>([=]() -> std::unique_ptr<record_reader> {
    std::unique_ptr<paragraph_source> paragraphs;
    if (format == file_format::text)
      paragraphs = std::make_unique<text_paragraphs>(path);
    else
      paragraphs = std::make_unique<conllu_paragraphs>(path, options.min_paragraph);
    return std::make_unique<cut_reader>(std::move(paragraphs), options);
  });
}

}  // namespace depthlens
