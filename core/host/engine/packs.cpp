// SPDX-License-Identifier: Apache-2.0
#include "engine/packs.hpp"

#include <algorithm>

namespace depthlens {
namespace {

constexpr std::int32_t fewest_nodes = 16;    // of a wished pack
constexpr double smallest_weight = 384;      // of a wished pack, where weights make it smaller
constexpr double packs_for_each_thread = 3;  // of the work that is left, where threads make packs smaller
constexpr std::int32_t worth_a_pack = 64;    // nodes

class cutter {
 public:
  cutter(const prefix_forest& f, const pack_rules& rules, std::span<const double> weight)
      : f_(f), rules_(rules), n_(static_cast<std::int32_t>(f.size())), before_(f.size() + 1, 0) {
    for (std::size_t i = 0; i < f.size(); ++i) before_[i + 1] = before_[i] + (weight.empty() ? 1 : weight[i]);
  }

  std::vector<pack> cut() {
    for (std::int32_t begin = 0; begin < n_;) {
      pack p{begin, begin};
      find_ancestors(p);
      p.end = end_of_trunk(p, choose_end(p));
      keep_path(p);
      p.weight = before_[p.end] - before_[p.begin] + static_cast<double>(p.ancestors.size());
      begin = p.end;
      packs_.push_back(std::move(p));
    }
    return std::move(packs_);
  }

 private:
  // Up to the deepest ancestor whose pack keeps its path: that path leads by the ancestor, as it leads to the
  // parent of the node that follows the pack, and the subtree of the ancestor reaches from there to here.
  void find_ancestors(pack& p) const {
    for (std::int32_t a = f_.parent[p.begin]; a >= 0; a = f_.parent[a]) {
      const auto at =
          std::upper_bound(packs_.begin(), packs_.end(), a,
                           [](std::int32_t node, const pack& other) { return node < other.begin; });
      if ((at - 1)->keep >= 0) {
        p.prefix = static_cast<std::int32_t>(at - 1 - packs_.begin());
        p.prefix_length = f_.position[a] + 1;
        break;
      }
      p.ancestors.push_back(a);
    }
    std::reverse(p.ancestors.begin(), p.ancestors.end());
  }

  // The nodes that fit: as many as wished, fewer where they are heavy or where little is left for all
  // threads.
  std::int32_t fitting(std::int32_t begin) const {
    const auto most = static_cast<std::int32_t>(
        std::min<std::size_t>(std::max<std::size_t>(rules_.pack_tokens, fewest_nodes), 1u << 30));
    const std::int32_t last = n_ - begin > most ? begin + most : n_;
    if (rules_.threads < 2) return last - begin;
    const double left = before_[n_] - before_[begin];
    const double heaviest = std::max(left / (packs_for_each_thread * rules_.threads), smallest_weight);
    const auto end =
        std::upper_bound(before_.begin() + begin, before_.begin() + last + 1, before_[begin] + heaviest);
    const auto n = static_cast<std::int32_t>(end - before_.begin()) - 1 - begin;
    return std::clamp(n, std::min(fewest_nodes, last - begin), last - begin);
  }

  // The shallowest node of the second half of what fits where a branch begins, if any does. Where the path to
  // it cannot be kept: the shallowest node, further on if it lies so deep that most of the next pack would be
  // ancestors.
  std::int32_t choose_end(const pack& p) const {
    const std::int32_t wished = fitting(p.begin);
    if (n_ - p.begin <= wished + wished / 4) return n_;
    std::int32_t best = p.begin + wished, branch = -1;
    for (std::int32_t i = p.begin + wished / 2; i <= p.begin + wished; ++i) {
      if (f_.position[i] <= f_.position[best]) best = i;
      if (f_.parent[i] == i - 1) continue;
      if (branch < 0 || f_.position[i] <= f_.position[branch]) branch = i;
    }
    if (rules_.kept_tokens > 0) {
      const std::int32_t end = branch < 0 ? p.begin + wished : branch;
      if (f_.position[end] == 0 || fits(p, end)) return end;
    }
    const std::int32_t shallow = wished / 4;
    const std::int32_t limit = n_ - p.begin > 8 * wished ? p.begin + 8 * wished : n_;
    while (best < limit && f_.position[best] > shallow) ++best;
    return best;
  }

  // Other packs wait for a path that is kept, so nothing else is computed with a long one.
  std::int32_t end_of_trunk(const pack& p, std::int32_t end) const {
    if (rules_.threads < 2 || end == n_ || rules_.kept_tokens == 0) return end;
    const std::int32_t last = f_.parent[end];
    const bool others_wait = p.begin == 0 || last + 1 - p.begin >= worth_a_pack;
    if (last < p.begin || !others_wait || end - last <= worth_a_pack || !fits(p, end)) return end;
    return last + 1;
  }

  struct kept {
    std::size_t own, in_all;  // tokens: of this pack, and with all that is held while it runs
  };
  // What the path to the parent of node `end` would take.
  kept path_to(const pack& p, std::int32_t end) const {
    std::int32_t top = f_.parent[end];
    while (f_.parent[top] >= p.begin) top = f_.parent[top];
    const std::int32_t first = std::min(f_.position[top], p.prefix_length);
    const auto own = static_cast<std::size_t>(f_.position[end] - first);
    return {own, own + (p.prefix >= 0 ? in_all_[p.prefix] : 0)};
  }
  bool fits(const pack& p, std::int32_t end) const {
    return f_.parent[end] >= p.begin ? path_to(p, end).in_all <= rules_.kept_tokens : p.ancestors.empty();
  }

  void keep_path(pack& p) {
    kept size{0, 0};
    if (p.end < n_ && f_.parent[p.end] >= p.begin && rules_.kept_tokens > 0) {
      size = path_to(p, p.end);
      if (size.in_all <= rules_.kept_tokens) {
        p.keep = f_.parent[p.end];
        p.kept_tokens = size.own;
      }
    }
    in_all_.push_back(size.in_all);
  }

  const prefix_forest& f_;
  const pack_rules& rules_;
  const std::int32_t n_;
  std::vector<double> before_;  // (N + 1) weight of all nodes before
  std::vector<pack> packs_;
  std::vector<std::size_t> in_all_;  // of each pack that keeps a path
};

}  // namespace

std::vector<pack> cut_packs(const prefix_forest& forest, const pack_rules& rules,
                            std::span<const double> weight) {
  return cutter(forest, rules, weight).cut();
}

}  // namespace depthlens
