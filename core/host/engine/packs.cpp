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
  cutter(const prefix_forest& f, const pack_rules& rules, std::span<const double> weight,
         std::span<const char> reads)
      : f_(f),
        rules_(rules),
        n_(static_cast<std::int32_t>(f.size())),
        before_(f.size() + 1, 0),
        bytes_before_(f.size() + 1, 0),
        reads_before_(f.size() + 1, 0) {
    for (std::size_t i = 0; i < f.size(); ++i) {
      before_[i + 1] = before_[i] + (weight.empty() ? 1 : weight[i]);
      const bool read = !reads.empty() && reads[i] != 0;
      bytes_before_[i + 1] = bytes_before_[i] + rules.token_bytes + (read ? rules.read_bytes : 0);
      reads_before_[i + 1] = reads_before_[i] + (read ? 1 : 0);
    }
  }

  std::vector<pack> cut() {
    for (std::int32_t begin = 0; begin < n_;) {
      pack p = pack_from(begin);
      if (rules_.wave_bytes > 0 && wave_bytes_ > 0 && wave_bytes_ + p.state_bytes > rules_.wave_bytes) {
        begin_wave();
        p = pack_from(begin);
      }
      wave_bytes_ += p.state_bytes;
      keep_path(p);
      begin = p.end;
      packs_.push_back(std::move(p));
    }
    return std::move(packs_);
  }

 private:
  pack pack_from(std::int32_t begin) const {
    pack p{begin, begin};
    p.wave = wave_;
    find_ancestors(p);
    p.end = end_of_trunk(p, choose_end(p));
    p.weight = before_[p.end] - before_[p.begin] + static_cast<double>(p.ancestors.size());
    p.state_bytes = bytes_before_[p.end] - bytes_before_[p.begin] + p.ancestors.size() * rules_.token_bytes;
    return p;
  }

  // Nobody continues what the last pack would keep.
  void begin_wave() {
    packs_.back().keep = -1;
    packs_.back().kept_tokens = 0;
    first_of_wave_ = packs_.size();
    wave_bytes_ = 0;
    ++wave_;
  }

  // Up to the deepest ancestor whose pack keeps its path: that path leads by the ancestor, as it leads to the
  // parent of the node that follows the pack, and the subtree of the ancestor reaches from there to here.
  void find_ancestors(pack& p) const {
    for (std::int32_t a = f_.parent[p.begin]; a >= 0; a = f_.parent[a]) {
      const auto at =
          std::upper_bound(packs_.begin(), packs_.end(), a,
                           [](std::int32_t node, const pack& other) { return node < other.begin; });
      const auto number = static_cast<std::size_t>(at - packs_.begin()) - 1;
      if (number >= first_of_wave_ && packs_[number].keep >= 0) {
        p.prefix = static_cast<std::int32_t>(number - first_of_wave_);
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
    const std::int32_t last = room_from(begin, n_ - begin > most ? begin + most : n_);
    if (rules_.threads < 2) return last - begin;
    const double left = before_[n_] - before_[begin];
    const double heaviest = std::max(left / (packs_for_each_thread * rules_.threads), smallest_weight);
    const auto end =
        std::upper_bound(before_.begin() + begin, before_.begin() + last + 1, before_[begin] + heaviest);
    const auto n = static_cast<std::int32_t>(end - before_.begin()) - 1 - begin;
    return std::clamp(n, std::min(fewest_nodes, last - begin), last - begin);
  }

  // `last`, or the node before it where a thread's share of a wave is full, or where there are reads enough.
  std::int32_t room_from(std::int32_t begin, std::int32_t last) const {
    if (rules_.wave_bytes > 0)
      last = last_within(bytes_before_, begin, last, rules_.wave_bytes / (2 * std::uint64_t{rules_.threads}));
    return rules_.pack_reads > 0 ? last_within(reads_before_, begin, last, rules_.pack_reads) : last;
  }

  // The last node up to which `before` has grown by no more than `most` since `begin`.
  static std::int32_t last_within(const std::vector<std::uint64_t>& before, std::int32_t begin,
                                  std::int32_t last, std::uint64_t most) {
    const auto end =
        std::upper_bound(before.begin() + begin, before.begin() + last + 1, before[begin] + most);
    const auto n = static_cast<std::int32_t>(end - before.begin()) - 1 - begin;
    return begin + std::clamp(n, std::min(fewest_nodes, last - begin), last - begin);
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
    const std::int32_t furthest = n_ - p.begin > 8 * wished ? p.begin + 8 * wished : n_;
    const std::int32_t limit = room_from(p.begin, furthest);
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
    return {own, own + (p.prefix >= 0 ? in_all_[first_of_wave_ + static_cast<std::size_t>(p.prefix)] : 0)};
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
  std::vector<double> before_;               // (N + 1) weight of all nodes before
  std::vector<std::uint64_t> bytes_before_;  // (N + 1) of their states
  std::vector<std::uint64_t> reads_before_;  // (N + 1) of them that are read
  std::vector<pack> packs_;
  std::uint32_t wave_ = 0;  // that is being filled
  std::size_t first_of_wave_ = 0;
  std::uint64_t wave_bytes_ = 0;
  std::vector<std::size_t> in_all_;  // of each pack that keeps a path
};

}  // namespace

std::vector<pack> cut_packs(const prefix_forest& forest, const pack_rules& rules,
                            std::span<const double> weight, std::span<const char> reads) {
  return cutter(forest, rules, weight, reads).cut();
}

}  // namespace depthlens
