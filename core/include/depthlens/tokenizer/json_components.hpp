// SPDX-License-Identifier: Apache-2.0
// The normalizer, pre_tokenizer, post_processor and decoder of a tokenizer.json, as steps of tokenizer_parts.
// A type, option, pattern or order that is not understood is refused by name, with the file and the key.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/tokenizer/parts.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::detail {

// Of a normalizer or pre_tokenizer; published ones have up to 4.
inline constexpr std::size_t max_steps = 16;

// What a template may put around a text: published ones have up to 4 ids. A few bytes of a template can name
// a list of many ids, so that the memory would be the product of both.
inline constexpr std::size_t max_frame_ids = 256;

[[noreturn]] inline void refuse(const json_view& at, std::string_view what, std::string_view name) {
  fail(status::data, at.place(), what, " ", printable(name, 200), " is not supported");
}

// Refuses members other than these, unless they are null.
inline void only_members(const json_view& at, std::initializer_list<std::string_view> known) {
  for (const auto& member : at.as_object()) {
    const std::string_view key(member.key().data(), member.key().size());
    if (!member.value().is_null() && std::find(known.begin(), known.end(), key) == known.end()) {
      refuse(at, "option", key);
    }
  }
}

// Calls each(part) for the parts of a Sequence, or once for what is none; nested ones are flattened.
template <class Each>
void for_each_part(const json_view& at, std::string_view list, const Each& each) {
  if (at.require_string("type") != "Sequence") return each(at);
  only_members(at, {"type", list});
  const json_view parts = at.require(list);
  for (std::size_t i = 0; i < parts.as_array().size(); ++i) for_each_part(parts.at(i), list, each);
}

inline void read_normalizer(const json_view& root, tokenizer_parts& parts) {
  using kind = normalizer_step::kind;
  const auto normalizer = root.find("normalizer");
  if (!normalizer) return;
  for_each_part(*normalizer, "normalizers", [&](const json_view& at) {
    if (parts.normalizer.size() == max_steps) refuse(at, "a sequence with more than 16 parts,", "normalizer");
    const std::string_view type = at.require_string("type");
    if (type == "NFC") {
      only_members(at, {"type"});
      parts.normalizer.push_back({kind::nfc, {}, {}});
    } else if (type == "Prepend") {
      only_members(at, {"type", "prepend"});
      const std::string_view text = at.require_string("prepend");
      if (text != metaspace) refuse(at, "prepend", text);
      parts.normalizer.push_back({kind::prepend, {}, std::string(text)});
    } else if (type == "Replace") {
      only_members(at, {"type", "pattern", "content"});
      const json_view pattern = at.require("pattern");
      only_members(pattern, {"String"});
      const std::string_view from = pattern.require_string("String"), to = at.require_string("content");
      if (from != " " || to != metaspace) refuse(at, "Replace of something else than a blank by", to);
      parts.normalizer.push_back({kind::replace, std::string(from), std::string(to)});
    } else {
      refuse(at, "normalizer", type);
    }
  });
}

inline split_behavior behavior_of_name(const json_view& at, std::string_view name) {
  if (name == "Isolated") return split_behavior::isolated;
  if (name == "MergedWithPrevious") return split_behavior::merged_with_previous;
  if (name == "MergedWithNext") return split_behavior::merged_with_next;
  if (name == "Contiguous") return split_behavior::contiguous;
  if (name == "Removed") return split_behavior::removed;
  refuse(at, "behavior", name);
}

// What is cut alike is written alike, so that the hash is the same: what no match covers is nothing, for a
// pattern that is `total`, and two behaviours treat it as they treat matches.
inline void read_behavior(const json_view& at, bool total, split_step& step) {
  step.behavior = behavior_of_name(at, at.require_string("behavior"));
  step.inverted = at.find_bool("invert").value_or(false);
  if (step.inverted && total && step.behavior == split_behavior::removed)
    step.behavior = split_behavior::isolated;
  if (step.behavior == split_behavior::isolated || step.behavior == split_behavior::contiguous)
    step.inverted = false;
}

inline void read_split(const json_view& at, tokenizer_parts& parts) {
  namespace p = split_patterns;
  only_members(at, {"type", "pattern", "behavior", "invert"});
  const json_view pattern = at.require("pattern");
  only_members(pattern, {"String", "Regex"});
  if (const auto regex = pattern.find_string("Regex")) {
    const std::string ours = p::in_ascii(*regex);
    if (!p::known(ours)) refuse(pattern, "Regex", *regex);
    parts.splits.push_back({ours, false});
    read_behavior(at, p::covers_all(ours), parts.splits.back());
  } else {
    const std::string_view text = pattern.require_string("String");
    if (text.empty()) refuse(pattern, "String", "");
    if (text.size() > max_added_token)
      fail(status::data, pattern.place(), "String of ", text.size(), " bytes, expected at most ",
           max_added_token);
    parts.splits.push_back({std::string(text), true});
    read_behavior(at, false, parts.splits.back());
  }
}

inline void read_metaspace(const json_view& at, tokenizer_parts& parts) {
  using kind = normalizer_step::kind;
  only_members(at, {"type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
  const std::string mark(at.require_string("replacement"));
  if (mark != metaspace) refuse(at, "replacement", mark);
  const bool add = at.find_bool("add_prefix_space").value_or(true);
  const std::string_view scheme = at.find_string("prepend_scheme").value_or(add ? "always" : "never");
  if (!add && scheme != "never") refuse(at, "add_prefix_space false with prepend_scheme", scheme);
  parts.preparation.push_back({kind::replace, " ", mark});
  if (scheme == "always") {
    parts.preparation.push_back({kind::prepend_once, {}, mark});
  } else if (scheme == "first") {
    parts.preparation.push_back({kind::prepend_first, {}, mark});
  } else if (scheme != "never") {
    refuse(at, "prepend_scheme", scheme);
  }
  if (at.find_bool("split").value_or(true))
    parts.splits.push_back({mark, true, split_behavior::merged_with_next});
}

// A step behind ByteLevel sees the text in the byte alphabet. Only cuts at digits are read there.
inline void read_step_on_bytes(const json_view& at, std::string_view type, tokenizer_parts& parts) {
  namespace p = split_patterns;
  if (type == "Digits") {
    only_members(at, {"type", "individual_digits"});
    const bool single = at.find_bool("individual_digits").value_or(false);
    parts.splits.push_back({std::string(single ? p::digit_byte : p::digit_bytes)});
  } else if (type == "Split" && at.require("pattern").find_string("Regex") == p::three_digits) {
    read_split(at, parts);
  } else {
    refuse(at, "after ByteLevel, pre_tokenizer", type);
  }
}

// Says whether text is cut as bytes (ByteLevel).
inline bool read_pre_tokenizer(const json_view& root, tokenizer_parts& parts) {
  namespace p = split_patterns;
  bool bytes = false, first = true;
  const auto pre_tokenizer = root.find("pre_tokenizer");
  if (!pre_tokenizer) return bytes;
  for_each_part(*pre_tokenizer, "pretokenizers", [&](const json_view& at) {
    if (parts.splits.size() == max_steps) refuse(at, "a sequence with more than 16 parts,", "pre_tokenizer");
    const std::string_view type = at.require_string("type");
    if (bytes) {
      read_step_on_bytes(at, type, parts);
    } else if (type == "ByteLevel") {
      only_members(at, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
      if (at.find_bool("add_prefix_space").value_or(true)) {
        if (!first) refuse(at, "after another pre_tokenizer, option", "add_prefix_space");
        parts.preparation.push_back({normalizer_step::kind::prepend_once, {}, " "});
      }
      if (at.find_bool("use_regex").value_or(true)) parts.splits.push_back({std::string(p::gpt2)});
      bytes = true;
    } else if (type == "Digits") {
      only_members(at, {"type", "individual_digits"});
      const bool single = at.find_bool("individual_digits").value_or(false);
      parts.splits.push_back({std::string(single ? p::digit : p::digits)});
    } else if (type == "Punctuation") {
      only_members(at, {"type", "behavior"});
      const split_behavior behavior = behavior_of_name(at, at.find_string("behavior").value_or("Isolated"));
      if (behavior == split_behavior::contiguous) {
        parts.splits.push_back({std::string(p::punctuation)});
      } else {
        parts.splits.push_back({std::string(p::punctuation_mark), false, behavior});
      }
    } else if (type == "Split") {
      read_split(at, parts);
    } else if (type == "Metaspace") {
      if (!first) refuse(at, "after another pre_tokenizer,", type);
      read_metaspace(at, parts);
    } else {
      refuse(at, "pre_tokenizer", type);
    }
    first = false;
  });
  return bytes;
}

// The items of a template for one text: special tokens, the text once, special tokens.
inline void read_template(const json_view& at, tokenizer_parts& parts) {
  only_members(at, {"type", "single", "pair", "special_tokens"});
  const json_view single = at.require("single");
  bool text_seen = false;
  for (std::size_t i = 0; i < single.as_array().size(); ++i) {
    const json_view item = single.at(i);
    only_members(item, {"SpecialToken", "Sequence"});
    if (const auto sequence = item.find("Sequence")) {
      if (text_seen || sequence->require_string("id") != "A")
        refuse(item, "template with", "a second sequence");
      text_seen = true;
      continue;
    }
    const std::string_view name = item.require("SpecialToken").require_string("id");
    const json_view ids = at.require("special_tokens").require(name).require("ids");
    if (ids.as_array().size() > max_frame_ids - parts.prefix.size() - parts.suffix.size())
      fail(status::data, item.place(), "more than ", max_frame_ids, " special tokens around a text");
    for (std::size_t k = 0; k < ids.as_array().size(); ++k) {
      const std::uint64_t id = ids.at(k).as_u64();
      if (id >= parts.surface.size()) {
        fail(status::data, ids.at(k).place(), "id ", id, ", but there are ", parts.surface.size(), " tokens");
      }
      (text_seen ? parts.suffix : parts.prefix).push_back(static_cast<std::int32_t>(id));
    }
  }
  if (!text_seen) fail(status::data, single.place(), "has no Sequence A: the text would be dropped");
}

// Needs parts.surface. The BOS token is what stands alone in front of a text.
inline void read_post_processor(const json_view& root, tokenizer_parts& parts) {
  const auto post_processor = root.find("post_processor");
  if (!post_processor) return;
  bool template_seen = false;
  for_each_part(*post_processor, "processors", [&](const json_view& at) {
    const std::string_view type = at.require_string("type");
    if (type == "ByteLevel") return;  // moves offsets only
    if (type != "TemplateProcessing") refuse(at, "post_processor", type);
    if (template_seen) refuse(at, "a second", type);
    template_seen = true;
    read_template(at, parts);
  });
  if (parts.prefix.size() == 1) parts.bos = parts.prefix[0];
}

// What the bytes of tokens become is known from the vocabulary; this finds what happens to a blank in front.
inline void read_decoder(const json_view& root, tokenizer_parts& parts) {
  const auto decoder = root.find("decoder");
  if (!decoder) return;
  for_each_part(*decoder, "decoders", [&](const json_view& at) {
    const std::string_view type = at.require_string("type");
    if (type == "ByteLevel" || type == "ByteFallback" || type == "Fuse") return;
    if (type == "Replace") {
      const bool blank =
          at.require("pattern").require_string("String") == metaspace && at.require_string("content") == " ";
      if (!blank) refuse(at, "decoder", "Replace of something else than U+2581 by a blank");
    } else if (type == "Strip") {
      const bool one =
          at.require_string("content") == " " && at.require_u64("start") == 1 && at.require_u64("stop") == 0;
      if (!one) refuse(at, "decoder", "Strip of something else than one blank at the start");
      parts.decoding = decode_rule::strip_blank;
    } else if (type == "Metaspace") {
      const bool add = at.find_bool("add_prefix_space").value_or(true);
      const std::string_view scheme = at.find_string("prepend_scheme").value_or(add ? "always" : "never");
      if (scheme != "never") parts.decoding = decode_rule::strip_first_token;
    } else {
      refuse(at, "decoder", type);
    }
  });
}

}  // namespace depthlens::detail
