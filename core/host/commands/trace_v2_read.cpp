// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_v2_read.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/mapped_file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

namespace depthlens {
namespace {

constexpr std::size_t longest = 64;  // of a list of tokens
constexpr json_limits limits{.max_bytes = std::size_t{256} << 20, .max_values = std::size_t{1} << 24};

std::string token_of(const json_view& v) { return from_visible(v.as_string()); }

json_view list_of(const json_view& v, std::size_t n, const char* of) {
  if (v.as_array().size() != n)
    fail(status::data, v.place(), "has ", v.as_array().size(), " entries, expected one for each of ", n, " ",
         of);
  return v;
}

// null where it was not finite.
float number_of(const json_view& v) {
  return v.is_null() ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(v.as_double());
}

float probability_of(const json_view& v) {
  const float p = number_of(v);
  if (p < 0 || p > 1.0001f) fail(status::data, v.place(), "is no probability");
  return p;
}

class v2_reader {
 public:
  v2_reader(const json_view& root, std::size_t most_cells) : root_(root), most_cells_(most_cells) {}

  v2_prompt read() {
    const json_view meta = root_.require("meta");
    if (const std::uint64_t version = meta.require_u64("version"); version != 2)
      fail(status::data, meta.place(), "version ", version, ", expected 2");
    out_.model = meta.find_string("model").value_or("");
    read_sizes();
    out_.top.resize(out_.cells());
    out_.entropy.assign(out_.cells(), std::numeric_limits<float>::quiet_NaN());
    read_lists();
    read_tracked();
    return std::move(out_);
  }

 private:
  void read_sizes() {
    const json_view input = root_.require("input"), layers = root_.require("layers");
    for (std::size_t i = 0; i < input.as_array().size(); ++i) out_.input.push_back(token_of(input.at(i)));
    for (std::size_t i = 0; i < layers.as_array().size(); ++i) {
      const std::uint64_t layer = layers.at(i).as_u64();
      if (layer >= 4096 || (i > 0 && layer < out_.layers.back()))
        fail(status::data, layers.at(i).place(), "layers are below 4096, in ascending order");
      out_.layers.push_back(static_cast<std::uint32_t>(layer) + 1);
    }
    if (out_.input.size() > most_cells_ || out_.cells() > most_cells_)
      fail(status::data, root_.place(), out_.input.size(), " positions of ", out_.layers.size(),
           " layers are more than the ", most_cells_, " cells that a page has");
  }

  void read_lists() {
    const std::size_t P = out_.input.size(), L = out_.layers.size();
    const json_view top = list_of(root_.require("topk"), L, "layers");
    const auto entropy = root_.find("entropy");
    if (entropy) list_of(*entropy, L, "layers");
    for (std::size_t l = 0; l < L; ++l) {
      const json_view of_layer = list_of(top.at(l), P, "positions");
      if (entropy) list_of(entropy->at(l), P, "positions");
      for (std::size_t p = 0; p < P; ++p) {
        const json_view tokens = of_layer.at(p);
        if (tokens.as_array().size() > longest)
          fail(status::data, tokens.place(), tokens.as_array().size(), " tokens, at most ", longest,
               " are shown");
        for (std::size_t i = 0; i < tokens.as_array().size(); ++i)
          out_.top[p * L + l].push_back(token_of(tokens.at(i)));
        if (entropy) out_.entropy[p * L + l] = number_of(entropy->at(l).at(p));
      }
    }
  }

  void read_tracked() {
    const std::size_t P = out_.input.size(), L = out_.layers.size();
    const json_view tracked = list_of(root_.require("tracked"), P, "positions");
    for (std::size_t p = 0; p < P; ++p) {
      std::map<std::string, std::vector<float>>& to = out_.tracked.emplace_back();
      const json_view of_position = tracked.at(p);
      for (const auto& [key, value] : of_position.as_object()) {
        const json_view list(value, of_position.label(), cat(of_position.path(), ".", printable(key)));
        list_of(list, L, "layers");
        std::vector<float>& values = to[from_visible(std::string_view(key))];
        for (std::size_t l = 0; l < L; ++l) values.push_back(probability_of(list.at(l)));
      }
    }
  }

  json_view root_;
  std::size_t most_cells_;
  v2_prompt out_;
};

// One object on each line, or one over several.
bool has_lines(std::string_view text) {
  const std::string_view first = text.substr(0, text.find('\n'));
  const std::size_t end = first.find_last_not_of(" \t\r");
  return end != first.npos && first[end] == '}';
}

}  // namespace

std::size_t v2_prompt::longest_list() const {
  std::size_t out = 0;
  for (const auto& list : top) out = std::max(out, list.size());
  return out;
}

std::vector<v2_prompt> read_v2(const std::filesystem::path& path, std::size_t most_cells) {
  const mapped_file file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  std::vector<v2_prompt> out;
  std::size_t line = 1, cells = 0;
  const bool lines = has_lines(text);
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = lines ? std::min(text.find('\n', at), text.size()) : text.size();
    const std::string_view one = text.substr(at, end - at);
    at = end + 1;
    if (one.find_first_not_of(" \t\r\n") == one.npos) continue;
    const json_document json(one, lines ? cat(file.path(), ": line ", line) : file.path(), limits);
    out.push_back(v2_reader(json.root(), most_cells - cells).read());
    out.back().file = path;
    cells += out.back().cells();
  }
  if (out.empty()) fail(status::data, file.path(), ": holds no readings");
  return out;
}

}  // namespace depthlens
