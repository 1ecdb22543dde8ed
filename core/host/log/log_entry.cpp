// SPDX-License-Identifier: Apache-2.0
#include "log/log_entry.hpp"

#include "depthlens/base/abi_error.hpp"

#include <bit>
#include <cstring>

namespace depthlens {
namespace {

// Numbers lie little-endian, as on every machine this is built for.
static_assert(std::endian::native == std::endian::little);

template <class T>
void put(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}
void put_text(std::string& out, std::string_view s) {
  put(out, static_cast<std::uint32_t>(s.size()));
  out += s;
}

class cursor {
 public:
  cursor(std::string_view bytes, const std::filesystem::path& file) : rest_(bytes), file_(file) {}
  template <class T>
  T get() {
    T v;
    std::memcpy(&v, take(sizeof v).data(), sizeof v);
    return v;
  }
  std::string_view text() { return take(get<std::uint32_t>()); }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t n) {
    if (n > rest_.size()) fail(status::data, file_.string(), ": a record of the log ends too early");
    const auto part = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return part;
  }
  std::string_view rest_;
  const std::filesystem::path& file_;
};

}  // namespace

std::optional<record_key> key_of_payload(std::string_view payload) {
  std::uint32_t name = 0;
  if (payload.size() < sizeof name) return std::nullopt;
  std::memcpy(&name, payload.data(), sizeof name);
  payload.remove_prefix(sizeof name);
  record_key key;
  if (payload.size() < name || payload.size() - name < sizeof key.index + sizeof key.hash)
    return std::nullopt;
  key.set = payload.substr(0, name);
  std::memcpy(&key.index, payload.data() + name, sizeof key.index);
  std::memcpy(&key.hash, payload.data() + name + sizeof key.index, sizeof key.hash);
  return key;
}

std::optional<std::uint32_t> rows_of_payload(std::string_view payload) {
  const auto key = key_of_payload(payload);
  if (!key) return std::nullopt;
  payload.remove_prefix(sizeof(std::uint32_t) + key->set.size() + sizeof key->index + sizeof key->hash);
  std::uint32_t rows = 0;
  if (payload.size() < sizeof rows) return std::nullopt;
  std::memcpy(&rows, payload.data(), sizeof rows);
  return rows;
}

entry_writer::entry_writer(const record_key& key) {
  put_text(head_, key.set);
  put(head_, key.index);
  put(head_, key.hash);
}

void entry_writer::row(std::string_view table, const dlens_value* values, std::size_t n) {
  ++n_rows_;
  put_text(rows_, table);
  put(rows_, static_cast<std::uint32_t>(n));
  for (std::size_t i = 0; i < n; ++i) {
    const dlens_value& v = values[i];
    put(rows_, static_cast<std::uint8_t>(v.type));
    if (v.type == DLENS_I64) put(rows_, v.as.i64);
    if (v.type == DLENS_F64) put(rows_, v.as.f64);
    if (v.type == DLENS_F32) put(rows_, static_cast<float>(v.as.f64));
    if (v.type == DLENS_TEXT) put_text(rows_, to_view(v.as.text));
  }
}

void entry_writer::count(std::string_view set, std::string_view reason, std::uint64_t n) {
  ++n_counts_;
  put_text(counts_, set);
  put_text(counts_, reason);
  put(counts_, n);
}

std::string entry_writer::take() {
  std::string out = std::move(head_);
  put(out, n_rows_);
  out += rows_;
  put(out, n_counts_);
  out += counts_;
  if (device_) put_text(out, *device_);
  return out;
}

entry::entry(std::string payload, const std::filesystem::path& file) : payload_(std::move(payload)) {
  cursor in(payload_, file);
  key_.set = in.text();
  key_.index = in.get<std::uint64_t>();
  key_.hash = in.get<std::uint64_t>();
  for (auto n = in.get<std::uint32_t>(); n > 0; --n) {
    logged_row row;
    row.table = in.text();
    for (auto k = in.get<std::uint32_t>(); k > 0; --k) {
      dlens_value v{in.get<std::uint8_t>(), 0, {.i64 = 0}};
      if (v.type == DLENS_I64) v.as.i64 = in.get<std::int64_t>();
      if (v.type == DLENS_F64) v.as.f64 = in.get<double>();
      if (v.type == DLENS_F32) v.as.f64 = in.get<float>();
      if (v.type == DLENS_TEXT) v.as.text = to_text(in.text());
      row.values.push_back(v);
    }
    rows_.push_back(std::move(row));
  }
  for (auto n = in.get<std::uint32_t>(); n > 0; --n) {
    const auto set = in.text(), reason = in.text();
    counts_.push_back({set, reason, in.get<std::uint64_t>()});
  }
  if (!in.at_end()) device_ = in.text();
}

}  // namespace depthlens
