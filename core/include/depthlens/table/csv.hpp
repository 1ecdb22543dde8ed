// SPDX-License-Identifier: Apache-2.0
// CSV as RFC 4180 has it, with "\n" as line end: a writer, and a streaming reader that takes any quoting.
// Fields are valid UTF-8 without NUL; texts that may hold other bytes are escaped by the caller before. What
// the columns mean, and that an empty field is a missing value, is left to the caller too.
#pragma once

#include <depthlens/base/byte_source.hpp>
#include <depthlens/base/error.hpp>
#include <depthlens/table/numbers.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// all_texts: every text is quoted, even an empty one, and so is the name of a column of texts; numbers and
// missing values never are. So "NA" and "12" are words, and nothing between two commas is a gap.
enum class csv_quotes { where_needed, all_texts };

// Builds rows field by field and hands each complete row to `sink`, for example an atomic_file's write(). All
// rows have as many fields as the first. One thread.
class csv_writer {
 public:
  using sink = std::function<void(std::string_view)>;
  explicit csv_writer(sink to, csv_quotes quotes = csv_quotes::where_needed)
      : to_(std::move(to)), quotes_(quotes) {}

  // A value, or the name of a column, of texts. A NUL byte is status::internal.
  void text(std::string_view value) { write(value, quotes_); }
  // The name of a column of numbers: quoted where it holds a comma, a quote, CR or LF, or begins the file
  // with U+FEFF.
  void name(std::string_view value) { write(value, csv_quotes::where_needed); }
  void empty() { begin_field(); }
  template <std::integral Integer>
  void integer(Integer value) {
    begin_field();
    append_integer(row_, value);
  }
  void f32(float value) {
    begin_field();
    append_f32(row_, value);
  }
  void f64(double value) {
    begin_field();
    append_f64(row_, value);
  }
  void python_float(double value) {
    begin_field();
    append_python_float(row_, value);
  }

  // Throws status::internal where the row has not as many fields as the first, and what the sink throws.
  void end_row() {
    if (width_ == 0) width_ = fields_;
    if (fields_ == 0 || fields_ != width_)
      fail(status::internal, "a CSV row with ", fields_, " fields in a table of ", width_);
    if (row_.empty()) row_ = "\"\"";  // one empty field: as a blank line it would be no row
    row_ += '\n';
    to_(row_);
    row_.clear();
    fields_ = 0;
  }

  void row(const std::vector<std::string>& values) {
    for (const std::string& value : values) text(value);
    end_row();
  }

 private:
  void begin_field() {
    if (fields_++ > 0) row_ += ',';
  }

  void write(std::string_view value, csv_quotes quotes) {
    begin_field();
    if (value.find('\0') != std::string_view::npos) fail(status::internal, "a CSV field with a NUL byte");
    // At the start of a file a bare U+FEFF would be taken for a byte order mark.
    const bool mark = width_ == 0 && fields_ == 1 && value.starts_with("\xEF\xBB\xBF");
    if (quotes == csv_quotes::where_needed && !mark &&
        value.find_first_of(",\"\r\n") == std::string_view::npos) {
      row_ += value;
      return;
    }
    row_ += '"';
    for (const char c : value) {
      if (c == '"') row_ += '"';
      row_ += c;
    }
    row_ += '"';
  }

  sink to_;
  csv_quotes quotes_;
  std::string row_;
  std::size_t fields_ = 0, width_ = 0;
};

// Reads a table row by row; the first row is the header. Fields are divided by a comma, or by another ASCII
// character such as a tab. Accepts "\n" and "\r\n"; blank lines are passed over; the last row needs no
// line end. One thread. Errors are status::data "FILE:LINE: ...": rows of another width, a quote inside a
// field, a quote that is not closed, NUL, no UTF-8, rows over max_item_bytes, over max_columns.
class csv_reader {
 public:
  static constexpr std::size_t max_columns = 65536;

  explicit csv_reader(const std::filesystem::path& path, char delimiter = ',')
      : source_(path), delimiter_(delimiter) {
    read_row(header_);
  }

  // Empty where the file has no line but blank ones.
  const std::vector<std::string>& header() const noexcept { return header_; }

  std::optional<std::size_t> find_column(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < header_.size(); ++i)
      if (header_[i] == name) return i;
    return std::nullopt;
  }
  // Throws status::data that names the file and the column.
  std::size_t column(std::string_view name) const {
    const std::optional<std::size_t> found = find_column(name);
    if (!found) fail(status::data, source_.name(), ": there is no column \"", name, "\"");
    return *found;
  }

  // The next row, as many fields as the header has; false after the last.
  bool next(std::vector<std::string>& out) {
    if (!read_row(out)) return false;
    if (out.size() != header_.size())
      source_.fail_at(line_, "the row has ", out.size(), " fields, expected ", header_.size(),
                      " as in the header");
    return true;
  }

  // Did this field of the row of the last next() stand in quotes?
  bool quoted(std::size_t column) const { return quoted_.at(column); }
  std::uint64_t line() const noexcept { return line_; }  // where the row of the last next() begins
  const std::string& name() const noexcept { return source_.name(); }
  // Throws status::data "FILE:LINE: ..." about the row of the last next(), or before that about the header.
  template <class... Parts>
  [[noreturn]] void fail_row(Parts&&... parts) const {
    source_.fail_at(line_, parts...);
  }

 private:
  bool read_row(std::vector<std::string>& out) {
    while (at_line_end()) take_line_end();
    std::size_t n = 0;  // fields so far; the strings of the row before are used again
    if (source_.peek() >= 0) {
      line_ = source_.line();
      bytes_ = 0;
      do {
        if (n == max_columns) source_.fail_at(line_, "the row has more than ", max_columns, " fields");
        if (n == out.size()) out.emplace_back();
        if (n == quoted_.size()) quoted_.push_back(false);
        quoted_[n] = source_.peek() == '"';
        read_field(out[n++]);
      } while (take_delimiter());
      if (source_.peek() >= 0) take_line_end();
    }
    out.resize(n);
    return n > 0;
  }

  bool take_delimiter() {
    if (source_.peek() != delimiter_) return false;
    source_.get();
    return true;
  }

  bool at_line_end() { return source_.peek() == '\n' || source_.peek() == '\r'; }

  void take_line_end() {
    const std::uint64_t line = source_.line();
    if (source_.get() == '\r' && source_.peek() >= 0 && source_.get() != '\n')
      source_.fail_at(line, "a carriage return without a line feed");
  }

  void add(std::string& field, int c) {
    if (c == 0) source_.fail_at(source_.line(), "a NUL byte; is this a CSV file?");
    if (++bytes_ > max_item_bytes)
      source_.fail_at(line_, "the row is longer than 16 MiB; is a quote not closed?");
    field.push_back(static_cast<char>(c));
  }

  void read_field(std::string& field) {
    field.clear();
    const std::uint64_t line = source_.line();
    if (source_.peek() == '"') {
      read_quoted(field, line);
    } else {
      while (source_.peek() >= 0 && source_.peek() != delimiter_ && !at_line_end()) {
        if (source_.peek() == '"')
          source_.fail_at(line,
                          "a quote inside a field that does not begin with one; put the field in quotes and "
                          "write the quote twice");
        add(field, source_.get());
      }
    }
    source_.check_utf8(field, line);
  }

  void read_quoted(std::string& field, std::uint64_t line) {
    source_.get();
    for (;;) {
      const int c = source_.get();
      if (c < 0) source_.fail_at(line, "the file ends inside the quoted field that begins here");
      if (c == '"' && source_.peek() != '"') break;
      if (c == '"') source_.get();
      add(field, c);
    }
    if (source_.peek() >= 0 && source_.peek() != delimiter_ && !at_line_end())
      source_.fail_at(source_.line(), "expected ", delimiter_ == '\t' ? "a tab" : "a comma",
                      " or a line end after a closing quote; a quote inside a field is written twice");
  }

  byte_source source_;
  char delimiter_;
  std::vector<std::string> header_;
  std::vector<bool> quoted_;  // of the row before
  std::uint64_t line_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace depthlens
