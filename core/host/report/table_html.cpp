// SPDX-License-Identifier: Apache-2.0
#include "report/table_html.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/table/csv.hpp"
#include "figures/axis.hpp"
#include "figures/table_words.hpp"
#include "html/html_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <vector>

namespace depthlens {
namespace {

constexpr std::size_t most_characters_of_a_cell = 160;

using table_fields = std::vector<std::string>;

// The part of a CSV that is shown, as it will be shown.
struct shown_table {
  table_fields columns;
  std::vector<bool> numeric;  // (columns): nothing else in it
  std::vector<table_fields> rows;
  std::uint64_t all_rows = 0;
  std::size_t all_columns = 0;
  bool rounded = false;
};

void add_row(shown_table& table, const table_fields& values, std::size_t& bytes) {
  table_fields& out = table.rows.emplace_back();
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const bool number = parse_number(values[c]).has_value();
    if (!number) table.numeric[c] = false;
    out.push_back(number ? rounded_number(values[c]) : values[c]);
    table.rounded = table.rounded || (number && out.back() != values[c]);
    bytes += std::min(out.back().size(), 4 * most_characters_of_a_cell) + 10;
  }
}

shown_table read_table(const std::filesystem::path& csv) {
  csv_reader reader(csv);
  shown_table out;
  out.all_columns = reader.header().size();
  out.columns = reader.header();
  if (out.columns.size() > most_columns_on_page) out.columns.resize(most_columns_on_page);
  out.numeric.assign(out.columns.size(), true);
  std::size_t bytes = 0;
  for (table_fields values; reader.next(values); ++out.all_rows)
    if (out.rows.size() == out.all_rows && out.all_rows < most_rows_on_page &&
        bytes < most_table_bytes_on_page)
      add_row(out, values, bytes);
  return out;
}

std::string words_about(const shown_table& table) {
  const bool rows_cut = table.rows.size() < table.all_rows,
             columns_cut = table.columns.size() < table.all_columns;
  std::string out;
  if (rows_cut)
    out += cat("The first ", with_commas(table.rows.size()), " of ", with_commas(table.all_rows),
               " rows; a sort is of these. ");
  if (columns_cut) out += cat("The first ", table.columns.size(), " of ", table.all_columns, " columns. ");
  if (table.rounded) out += "Numbers are rounded here. ";
  if (rows_cut || columns_cut)
    out += "All are in ";
  else if (table.rounded)
    out += "In full they are in ";
  return out;
}

std::string head_of(const shown_table& table) {
  std::string out = "<thead><tr>";
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    out += cat("<th scope=\"col\"", table.numeric[c] ? " class=\"number\"" : "", ">",
               html_text(table.columns[c]), "</th>");
  return out + "</tr></thead>\n";
}

std::string body_of(const shown_table& table) {
  std::string out = "<tbody>\n";
  for (const table_fields& values : table.rows) {
    out += "<tr>";
    for (std::size_t c = 0; c < values.size(); ++c)
      out += table.numeric[c] ? "<td class=\"number\">" + html_text(values[c]) + "</td>"
                              : "<td>" + isolated(values[c], most_characters_of_a_cell) + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody>";
}

}  // namespace

std::string rounded_number(const std::string& text) {
  constexpr std::size_t short_enough = 7;
  const bool whole = text.find_first_not_of("-0123456789") == std::string::npos;
  const auto value = parse_number(text);
  if (text.size() <= short_enough || whole || !value || !std::isfinite(*value)) return text;
  std::array<char, 32> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), *value, std::chars_format::general, 5).ptr;
  return {digits.data(), end};
}

std::string table_html(const std::filesystem::path& csv) {
  const std::string name = csv.filename().string();
  if (!input_exists(csv))
    fail(status::no_input, csv.string(),
         ": the table is missing; the command that made the run makes it again");
  const shown_table table = read_table(csv);
  std::string out = cat("<details", table.all_rows <= most_rows_unfolded ? " open" : "", "><summary><code>",
                        html_text(name), "</code> <span class=\"soft\">", with_commas(table.all_rows),
                        table.all_rows == 1 ? " row" : " rows", "</span></summary>\n");
  if (table.rows.empty()) return out + "<p>It has no rows.</p></details>\n";
  if (const std::string about = words_about(table); !about.empty())
    out += "<p class=\"soft\">" + about + "<code>data/" + html_text(name) + "</code>.</p>\n";
  out +=
      "<div class=\"scroll rows\" tabindex=\"0\" role=\"region\" aria-label=\"" + html_text(name) + "\">\n";
  out += "<table class=\"sortable\"><caption class=\"unseen\">" + html_text(name) + "</caption>\n";
  return out + head_of(table) + body_of(table) + "</table></div></details>\n";
}

}  // namespace depthlens
