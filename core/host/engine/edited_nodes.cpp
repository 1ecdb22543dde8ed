// SPDX-License-Identifier: Apache-2.0
#include "engine/edited_nodes.hpp"

#include "depthlens/base/error.hpp"
#include "engine/edit_vectors.hpp"

#include <algorithm>
#include <set>

namespace depthlens {
namespace {

constexpr std::uint32_t nowhere = UINT32_MAX;

void check_place(const asked_work& work, const state_place& place) {
  if (place.sequence >= work.sequences.size() || place.position >= work.sequences[place.sequence].size() ||
      !work.is_plain(place.sequence))
    fail(status::internal, "a state is taken that no plain sequence has");
}

std::int32_t against_node(const asked_work& work, const prefix_forest& forest, const read_site& site) {
  std::int32_t out = -2;
  for (const std::uint32_t request : site.reads) {
    const std::int32_t against = work.requests[request].against;
    std::int32_t node = -1;
    if (against >= 0) {
      const read_request& other = work.requests[static_cast<std::size_t>(against)];
      if (!work.is_plain(other.sequence) || other.against >= 0)
        fail(status::internal, "a read is held against one of a changed run");
      node = forest.node(other.sequence, other.position);
    }
    if (out != -2 && node != out)
      fail(status::internal, "two reads of a token are held against different ones");
    out = node;
  }
  return out;
}

// Is `node` an ancestor of `of`?
bool leads_to(const prefix_forest& f, std::int32_t node, std::int32_t of) {
  while (of > node) of = f.parent[of];
  return of == node;
}

}  // namespace

std::vector<std::uint32_t> first_edits(const asked_work& work,
                                       std::span<const std::span<const std::int32_t>> needed) {
  std::vector<std::uint32_t> out;
  if (work.edits.empty()) return out;
  for (std::size_t b = 0; b < work.edits.size(); ++b) {
    std::uint32_t first = nowhere;
    for (const state_edit& e : work.edits[b])
      if (e.position < needed[b].size()) first = std::min(first, e.position);
    out.push_back(first);
  }
  return out;
}

edited_nodes edited_nodes::find(const asked_work& work, const prefix_forest& forest,
                                std::span<const read_site> sites) {
  edited_nodes out;
  const std::vector<std::int64_t> held =
      work.edits.empty() ? std::vector<std::int64_t>{} : held_against(work);
  for (std::uint32_t b = 0; b < work.edits.size(); ++b)
    for (const state_edit& e : work.edits[b]) {
      for (const state_place& place : e.from) check_place(work, place);
      const std::int32_t last = forest.last[b];
      if (last < 0 || static_cast<std::int32_t>(e.position) > forest.position[last]) continue;
      std::int32_t source = -1;
      if (is_copied_in_pack(e, held[b])) source = forest.node(e.from[0].sequence, e.from[0].position);
      out.edits.push_back({forest.node(b, e.position), &e, source});
    }
  std::stable_sort(out.edits.begin(), out.edits.end(),
                   [](const node_edit& a, const node_edit& b) { return a.node < b.node; });
  const bool any = std::any_of(work.requests.begin(), work.requests.end(),
                               [](const read_request& r) { return r.against >= 0; });
  for (const read_site& site : sites)
    if (any) out.against.push_back(against_node(work, forest, site));
  return out;
}

std::span<const node_edit> edited_nodes::at(std::int32_t node) const {
  const auto [begin, end] =
      std::equal_range(edits.begin(), edits.end(), node_edit{node, nullptr, -1},
                       [](const node_edit& a, const node_edit& b) { return a.node < b.node; });
  return {begin, end};
}

std::vector<std::int32_t> edited_nodes::missing(const pack& p, const prefix_forest& forest,
                                                std::size_t first_site, std::size_t n_sites) const {
  std::set<std::int32_t> out;
  if (edits.empty() && against.empty()) return {};
  const auto need = [&](std::int32_t node) {
    const auto is_there = [&](std::int32_t n) {
      return n < 0 || (n >= p.begin && n < p.end) || leads_to(forest, n, p.begin) || out.contains(n);
    };
    // A token of the prefix has no state any more: it is computed again.
    if (node < p.begin && forest.position[node] < p.prefix_length && leads_to(forest, node, p.begin))
      out.insert(node);
    for (; !is_there(node); node = forest.parent[node]) out.insert(node);
  };
  for (std::size_t i = first_site; i < first_site + n_sites && !against.empty(); ++i)
    if (against[i] >= 0) need(against[i]);
  const auto sources_of = [&](std::int32_t node) {
    for (const node_edit& e : at(node))
      if (e.source >= 0) need(e.source);
  };
  for (const std::int32_t node : p.ancestors) sources_of(node);
  for (std::int32_t node = p.begin; node < p.end && !edits.empty(); ++node) sources_of(node);
  return {out.begin(), out.end()};
}

}  // namespace depthlens
