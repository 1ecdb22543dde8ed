// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer_service.hpp"

#include "depthlens/base/abi_error.hpp"

#include <algorithm>

namespace depthlens {
namespace {

const tokenizer_service& service(const dlens_tokenizer* t) {
  return *static_cast<const tokenizer_service*>(t->self);
}

void give(const std::vector<std::int32_t>& from, std::int32_t* ids, std::uint64_t capacity,
          std::uint64_t* count) {
  std::copy_n(from.begin(), std::min<std::uint64_t>(capacity, from.size()), ids);
  *count = from.size();
}

dlens_status encode(const dlens_tokenizer* t, dlens_text text, std::uint32_t mode, std::int32_t* ids,
                    std::uint64_t capacity, std::uint64_t* count, dlens_error* e) noexcept {
  return guarded(e, [&] {
    const auto view = to_view(text);
    give(mode == DLENS_ENCODE_PROMPT ? service(t).encode_prompt(view) : service(t).encode_text(view), ids,
         capacity, count);
  });
}

dlens_text bytes(const dlens_tokenizer* t, std::int32_t id) noexcept {
  return to_text(service(t).get().bytes(id));
}

std::uint32_t is_special(const dlens_tokenizer* t, std::int32_t id) noexcept {
  return service(t).get().is_special(id) ? 1 : 0;
}

dlens_status prefix_ids(const dlens_tokenizer* t, std::int32_t* ids, std::uint64_t capacity,
                        std::uint64_t* count, dlens_error* e) noexcept {
  return guarded(e, [&] { give(service(t).prefix(), ids, capacity, count); });
}

dlens_status decode(const dlens_tokenizer* t, const std::int32_t* ids, std::uint64_t n, char* bytes,
                    std::uint64_t capacity, std::uint64_t* size, dlens_error* e) noexcept {
  return guarded(e, [&] {
    const std::string text = service(t).get().decode({ids, n});
    std::copy_n(text.begin(), std::min<std::uint64_t>(capacity, text.size()), bytes);
    *size = text.size();
  });
}

}  // namespace

bos_policy parse_bos_policy(std::string_view text) {
  if (text == "auto") return bos_policy::automatic;
  if (text == "always") return bos_policy::always;
  if (text == "never") return bos_policy::never;
  fail(status::usage, "--bos ", text, ": expected auto, always or never");
}

tokenizer_service::tokenizer_service(tokenizer t, bos_policy policy)
    : tokenizer_(std::move(t)), policy_(policy) {
  if (policy_ == bos_policy::always && !tokenizer_.bos())
    fail(status::usage, "--bos always: this tokenizer has no BOS token");
  c_ = {.size = sizeof c_,
        .vocabulary = static_cast<std::uint32_t>(tokenizer_.size()),
        .self = this,
        .encode = &encode,
        .bytes = &bytes,
        .is_special = &is_special,
        .prefix = &prefix_ids,
        .decode = &decode};
}

std::vector<std::int32_t> tokenizer_service::prefix() const {
  const std::vector<std::int32_t> own = tokenizer_.prefix();
  if (policy_ == bos_policy::never) return {};
  if (policy_ == bos_policy::always && own.empty()) return {*tokenizer_.bos()};
  return own;
}

std::vector<std::int32_t> tokenizer_service::encode_prompt(std::string_view text) const {
  std::vector<std::int32_t> ids = tokenizer_.encode(text, tokenizer::special::add);
  const auto own = static_cast<std::ptrdiff_t>(tokenizer_.prefix().size());
  if (policy_ == bos_policy::never) ids.erase(ids.begin(), ids.begin() + own);
  if (policy_ == bos_policy::always && own == 0) ids.insert(ids.begin(), *tokenizer_.bos());
  return ids;
}

}  // namespace depthlens
