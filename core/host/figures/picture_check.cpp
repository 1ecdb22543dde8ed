// SPDX-License-Identifier: Apache-2.0
#include "picture_check.hpp"

#include <boost/crc.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace depthlens {

namespace {

std::string_view without_space_at_the_end(std::string_view bytes) {
  const std::size_t last = bytes.find_last_not_of(" \t\r\n");
  return bytes.substr(0, last == bytes.npos ? 0 : last + 1);
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string png_fault(std::string_view bytes) {
  if (!bytes.starts_with("\x89PNG\r\n\x1A\n")) return "does not begin as a PNG";
  bytes.remove_prefix(8);
  constexpr std::size_t around = 12;  // length, name and checksum of a chunk
  while (bytes.size() >= around) {
    const std::size_t length = big_endian(bytes);
    if (length > bytes.size() - around) break;
    const std::string_view name = bytes.substr(4, 4);
    boost::crc_32_type sum;
    sum.process_bytes(name.data(), 4 + length);
    if (sum.checksum() != big_endian(bytes.substr(8 + length))) return "has a chunk with a wrong checksum";
    bytes.remove_prefix(around + length);
    if (name == "IEND") return bytes.empty() ? "" : "goes on behind its end";
  }
  return "ends without IEND";
}

std::string svg_fault(std::string_view bytes) {
  if (!bytes.starts_with("<?xml") && !bytes.starts_with("<svg")) return "does not begin as an SVG";
  return without_space_at_the_end(bytes).ends_with("</svg>") ? "" : "ends without </svg>";
}

std::string pdf_fault(std::string_view bytes) {
  if (!bytes.starts_with("%PDF-")) return "does not begin as a PDF";
  const std::string_view text = without_space_at_the_end(bytes);
  constexpr std::string_view end = "%%EOF", start = "startxref";
  if (!text.ends_with(end)) return "ends without %%EOF";
  const std::size_t at = text.rfind(start);
  std::size_t table = 0;
  const char* const digits =
      text.data() + (at == text.npos ? 0 : text.find_first_not_of("\r\n ", at + start.size()));
  if (at == text.npos || std::from_chars(digits, text.data() + text.size(), table).ec != std::errc{} ||
      table >= at)
    return "has no startxref";
  // A table of older kind, or an object that holds one.
  const std::string_view there = text.substr(table);
  const bool object =
      there.front() >= '0' && there.front() <= '9' && there.substr(0, 40).find(" obj") != there.npos;
  return there.starts_with("xref") || object ? "" : "has no table of objects where it says";
}

std::string tikz_fault(std::string_view bytes) {
  if (!bytes.starts_with("\\begin{tikzpicture}")) return "does not begin as a tikzpicture";
  return without_space_at_the_end(bytes).ends_with("\\end{tikzpicture}") ? ""
                                                                         : "ends without \\end{tikzpicture}";
}

}  // namespace

std::string picture_fault(std::string_view format, std::string_view bytes) {
  if (bytes.empty()) return "is empty";
  if (format == "png") return png_fault(bytes);
  if (format == "tikz") return tikz_fault(bytes);
  return format == "svg" ? svg_fault(bytes) : pdf_fault(bytes);
}

}  // namespace depthlens
