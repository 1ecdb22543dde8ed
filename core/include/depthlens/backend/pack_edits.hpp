// SPDX-License-Identifier: Apache-2.0
// For backends: what is changed in a pack (abi/intervene.h), checked, by layer and in tree order.
#pragma once

#include "depthlens/abi/intervene.h"
#include "depthlens/backend/read_sites.hpp"
#include "depthlens/backend/token_tree.hpp"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace depthlens {

struct tree_edit {
  std::uint32_t at;     // place in the tree
  bool adds;            // to what is there; else it takes its place
  const float* vector;  // (D); nullptr = the state at `from`
  std::uint32_t from;   // place in the tree
};

class pack_edits {
 public:
  // d_model: D. What the batch points to outlives it. Errors: status::internal for edits and reads outside of
  // the pack or the model, status::data for a vector that is not finite.
  pack_edits(const dlens_batch& batch, const token_tree& tree, std::uint32_t n_layers, std::size_t d_model)
      : by_layer_(n_layers) {
    const dlens_interventions* const given = batch.interventions;
    if (given == nullptr) return;
    if (!DLENS_HAS(dlens_interventions, given, against) || (given->n_edits > 0 && given->edits == nullptr))
      fail(status::internal, "the interventions of a pack are incomplete");
    std::set<std::pair<std::uint32_t, std::uint32_t>> changed;
    for (std::uint32_t i = 0; i < given->n_edits; ++i) {
      const dlens_edit& e = *given->edits[i];
      check(e, batch.n_tokens, d_model);
      if (!changed.insert({e.layer, e.token}).second)
        fail(status::internal, "token ", e.token, " of a pack is changed twice before block ", e.layer);
      by_layer_[e.layer].push_back({.at = tree.place[e.token],
                                    .adds = e.how == DLENS_EDIT_ADD,
                                    .vector = e.vector,
                                    .from = e.vector ? 0 : tree.place[e.source]});
    }
    for (std::uint32_t p = 0; p < batch.n_reads && given->against; ++p)
      if (given->against[p] >= batch.n_reads)
        fail(status::internal, "read ", p, " of a pack is held against read ", given->against[p], " of ",
             batch.n_reads);
    against_ = given->against;
  }

  // Before block `layer`.
  std::span<const tree_edit> before(std::uint32_t layer) const { return by_layer_[layer]; }

  // (S) the site whose final output stands for that of each site; empty = each stands for itself. Errors:
  // status::internal for two reads of one token that are held against different ones.
  std::vector<std::uint32_t> finals_of(std::span<const read_site> sites) const {
    std::vector<std::uint32_t> out, site_of;
    if (against_ == nullptr) return out;
    for (std::uint32_t i = 0; i < sites.size(); ++i)
      for (const std::uint32_t read : sites[i].reads) {
        if (site_of.size() <= read) site_of.resize(read + std::size_t{1});
        site_of[read] = i;
      }
    for (const read_site& site : sites) {
      out.push_back(site_of[against_[site.reads[0]]]);
      for (const std::uint32_t read : site.reads)
        if (site_of[against_[read]] != out.back())
          fail(status::internal, "two reads of a token are held against different outputs");
    }
    return out;
  }

 private:
  void check(const dlens_edit& e, std::uint32_t n_tokens, std::size_t d_model) const {
    if (!DLENS_HAS(dlens_edit, &e, reserved) || e.reserved != 0 ||
        (e.how != DLENS_EDIT_REPLACE && e.how != DLENS_EDIT_ADD))
      fail(status::internal, "a state is to be changed in a way that is not known here");
    if (e.token >= n_tokens || (e.vector == nullptr && e.source >= n_tokens))
      fail(status::internal, "a state outside the pack of ", n_tokens, " tokens is to be changed or taken");
    if (e.layer >= by_layer_.size())
      fail(status::internal, "a state before block ", e.layer, " is to be changed; the model has blocks 0..",
           by_layer_.size() - 1);
    if (e.vector && !std::all_of(e.vector, e.vector + d_model, [](float v) { return std::isfinite(v); }))
      fail(status::data, "the vector for the state before block ", e.layer, " is not finite");
  }

  std::vector<std::vector<tree_edit>> by_layer_;  // (n_layers)
  const std::uint32_t* against_ = nullptr;
};

}  // namespace depthlens
