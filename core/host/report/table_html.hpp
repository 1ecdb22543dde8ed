// SPDX-License-Identifier: Apache-2.0
// A CSV as a table of a page: its first rows, with a sentence that says how many there are and where all are.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace depthlens {

// What a page shows of a table: at most so many rows and columns, and no more rows once they take so many
// bytes of HTML.
inline constexpr std::size_t most_rows_on_page = 200, most_columns_on_page = 40,
                             most_table_bytes_on_page = std::size_t{1} << 20;
// Longer ones are folded at first.
inline constexpr std::size_t most_rows_unfolded = 12;

// Throws what csv_reader throws; status::no_input that says how to get the table where it is missing.
std::string table_html(const std::filesystem::path& csv);

// Numbers of more than seven characters to five digits; anything else as it is.
std::string rounded_number(const std::string& text);

}  // namespace depthlens
