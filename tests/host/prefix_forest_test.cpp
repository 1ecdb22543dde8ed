// SPDX-License-Identifier: Apache-2.0
// Properties of the prefix forest and of its packs, on random sequences with fixed seeds and on the shapes
// that prompts have: unrelated ones, few-shot prompts with one long beginning, a single long chain.
#include "engine/prefix_forest.hpp"
#include "engine/pack_schedule.hpp"
#include "engine/packs.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <span>
#include <vector>

BOOST_AUTO_TEST_SUITE(prefix_forests)

namespace {

using depthlens::pack;
using depthlens::prefix_forest;
using sequence = std::vector<std::int32_t>;

prefix_forest build(const std::vector<sequence>& sequences) {
  const std::vector<std::span<const std::int32_t>> views(sequences.begin(), sequences.end());
  return depthlens::build_forest(views);
}

// Few letters and short lengths, so that sequences share prefixes, repeat and are prefixes of each other.
std::vector<sequence> random_sequences(std::mt19937& random, std::size_t most, std::size_t longest,
                                       int letters) {
  std::vector<sequence> out(random() % (most + 1));
  for (sequence& s : out) {
    s.resize(random() % (longest + 1));
    for (std::int32_t& id : s) id = static_cast<std::int32_t>(random() % static_cast<unsigned>(letters));
  }
  return out;
}

sequence path_to(const prefix_forest& f, std::int32_t node) {
  sequence out;
  for (; node >= 0; node = f.parent[static_cast<std::size_t>(node)])
    out.insert(out.begin(), f.token[static_cast<std::size_t>(node)]);
  return out;
}

bool parents_precede_and_count_positions(const prefix_forest& f) {
  for (std::size_t n = 0; n < f.size(); ++n) {
    const std::int32_t up = f.parent[n];
    if (up >= static_cast<std::int32_t>(n)) return false;
    const std::int32_t position = up < 0 ? 0 : f.position[static_cast<std::size_t>(up)] + 1;
    if (f.position[n] != position) return false;
  }
  return true;
}

// Every node once, in order, and with the pack's ancestors all that its nodes attend to.
void check_packs(const prefix_forest& f, std::size_t tokens) {
  std::int32_t next = 0;
  for (const pack& p : depthlens::cut_packs(f, {tokens})) {
    BOOST_REQUIRE_EQUAL(p.begin, next);
    BOOST_REQUIRE_GT(p.end, p.begin);
    next = p.end;
    std::set<std::int32_t> present(p.ancestors.begin(), p.ancestors.end());
    BOOST_REQUIRE(std::is_sorted(p.ancestors.begin(), p.ancestors.end()));
    BOOST_REQUIRE_EQUAL(present.size(), p.ancestors.size());
    for (std::size_t i = 0; i < p.ancestors.size(); ++i) {
      BOOST_REQUIRE_LT(p.ancestors[i], p.begin);
      BOOST_REQUIRE_EQUAL(f.position[static_cast<std::size_t>(p.ancestors[i])], static_cast<std::int32_t>(i));
      BOOST_REQUIRE_EQUAL(f.parent[static_cast<std::size_t>(p.ancestors[i])],
                          i == 0 ? -1 : p.ancestors[i - 1]);
    }
    for (std::int32_t n = p.begin; n < p.end; ++n) {
      const std::int32_t up = f.parent[static_cast<std::size_t>(n)];
      BOOST_REQUIRE(up < 0 || present.contains(up));
      present.insert(n);
    }
  }
  BOOST_REQUIRE_EQUAL(next, static_cast<std::int32_t>(f.size()));
}

std::size_t computed(const prefix_forest& f, std::size_t tokens) {
  std::size_t n = 0;
  for (const pack& p : depthlens::cut_packs(f, {tokens})) n += p.size();
  return n;
}

// Plays a schedule with several packs running at once, ended in random order: every node once, prefixes there
// when they are continued, no more kept than allowed. Returns the packs that were computed.
void play(const prefix_forest& f, const depthlens::pack_rules& rules, std::mt19937& random) {
  const std::vector<pack> packs = depthlens::cut_packs(f, rules);
  depthlens::pack_schedule schedule(packs, rules.kept_tokens);
  std::vector<std::int32_t> running;
  std::set<std::int32_t> kept, taken;
  std::size_t held = 0;
  while (true) {
    const std::size_t ready = schedule.ready();
    const std::int32_t number = running.size() < rules.threads ? schedule.take() : -1;
    if (number >= 0) {
      const pack& p = packs[static_cast<std::size_t>(number)];
      BOOST_REQUIRE_GT(ready, 0U);
      BOOST_REQUIRE(taken.insert(number).second);
      BOOST_REQUIRE(p.prefix < 0 || kept.contains(p.prefix));
      held += p.kept_tokens;
      BOOST_REQUIRE_LE(held, rules.kept_tokens);
      running.push_back(number);
      continue;
    }
    if (running.empty()) break;
    const std::size_t which = random() % running.size();
    const std::int32_t done = running[which];
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(which));
    if (packs[static_cast<std::size_t>(done)].keep >= 0) kept.insert(done);
    for (const std::int32_t freed : schedule.finish(done)) {
      BOOST_REQUIRE_EQUAL(kept.erase(freed), 1U);
      held -= packs[static_cast<std::size_t>(freed)].kept_tokens;
    }
  }
  BOOST_REQUIRE_EQUAL(taken.size(), packs.size());
  BOOST_REQUIRE(kept.empty());
  BOOST_REQUIRE_EQUAL(held, 0U);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_distinct_prefix_is_one_node) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const std::vector<sequence> sequences = random_sequences(random, 30, 12, 1 + round % 5);
    const prefix_forest f = build(sequences);
    std::set<sequence> prefixes;
    for (const sequence& s : sequences)
      for (std::size_t n = 1; n <= s.size(); ++n)
        prefixes.emplace(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(n));
    BOOST_REQUIRE_EQUAL(f.size(), prefixes.size());
    std::set<sequence> paths;
    for (std::size_t n = 0; n < f.size(); ++n) paths.insert(path_to(f, static_cast<std::int32_t>(n)));
    BOOST_REQUIRE(paths == prefixes);
    BOOST_REQUIRE(parents_precede_and_count_positions(f));
  }
}

BOOST_AUTO_TEST_CASE(the_node_of_a_position_ends_the_path_of_the_sequence_up_to_there) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    const std::vector<sequence> sequences = random_sequences(random, 20, 15, 3);
    const prefix_forest f = build(sequences);
    BOOST_REQUIRE_EQUAL(f.last.size(), sequences.size());
    for (std::size_t b = 0; b < sequences.size(); ++b) {
      if (sequences[b].empty()) BOOST_REQUIRE_EQUAL(f.last[b], -1);
      for (std::uint32_t p = 0; p < sequences[b].size(); ++p)
        BOOST_REQUIRE(path_to(f, f.node(b, p)) ==
                      sequence(sequences[b].begin(), sequences[b].begin() + p + 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_subtree_is_contiguous) {
  std::mt19937 random(3);
  const prefix_forest f = build(random_sequences(random, 200, 10, 3));
  for (std::size_t root = 0; root < f.size(); ++root) {
    bool inside = true;
    for (std::size_t n = root + 1; n < f.size(); ++n) {
      std::int32_t up = f.parent[n];
      while (up > static_cast<std::int32_t>(root)) up = f.parent[static_cast<std::size_t>(up)];
      const bool below = up == static_cast<std::int32_t>(root);
      BOOST_REQUIRE(inside || !below);
      inside = below;
    }
  }
}

BOOST_AUTO_TEST_CASE(no_sequences_and_empty_sequences_make_no_nodes_and_no_packs) {
  BOOST_TEST(build({}).size() == 0U);
  const prefix_forest f = build({{}, {}});
  BOOST_TEST(f.size() == 0U);
  BOOST_TEST(f.last == (std::vector<std::int32_t>{-1, -1}), boost::test_tools::per_element());
  BOOST_TEST(depthlens::cut_packs(f, {64}).empty());
}

BOOST_AUTO_TEST_CASE(an_empty_sequence_between_others_keeps_their_nodes) {
  const prefix_forest f = build({{4, 5}, {}, {4}, {4, 5}});
  BOOST_TEST(f.size() == 2U);
  BOOST_TEST(f.last == (std::vector<std::int32_t>{1, -1, 0, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(sequences_of_the_long_form_share_nodes_among_each_other_alone) {
  const std::vector<sequence> sequences = {{1, 2, 3}, {1, 2}, {1}, {1, 2, 4}, {}};
  const std::vector<std::span<const std::int32_t>> views(sequences.begin(), sequences.end());
  const std::vector<std::uint8_t> is_long = {1, 0, 0, 1, 1};
  const prefix_forest f = depthlens::build_forest(views, {.is_long = is_long});
  BOOST_TEST(f.token == (sequence{1, 2, 1, 2, 3, 4}), boost::test_tools::per_element());
  BOOST_TEST(f.parent == (sequence{-1, 0, -1, 2, 3, 3}), boost::test_tools::per_element());
  BOOST_TEST(f.last == (sequence{4, 1, 0, 5, -1}), boost::test_tools::per_element());
  BOOST_TEST(f.long_begin == 2);
  BOOST_TEST(build(sequences).long_begin == 4);
  const std::vector<std::uint8_t> all(sequences.size(), 1);
  const prefix_forest longer = depthlens::build_forest(views, {.is_long = all});
  BOOST_TEST(longer.long_begin == 0);
  BOOST_TEST(longer.size() == 4U);
}

BOOST_AUTO_TEST_CASE(changed_sequences_share_what_lies_before_their_change_and_come_behind_plain_ones) {
  const std::vector<sequence> sequences = {{1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 4}, {1, 2, 3, 5}};
  const std::vector<std::span<const std::int32_t>> views(sequences.begin(), sequences.end());
  constexpr std::uint32_t plain = UINT32_MAX;
  const std::vector<std::uint32_t> own_from = {2, plain, 1, plain, 2};
  const prefix_forest f = depthlens::build_forest(views, {.own_from = own_from});
  // 1 2 3 plain, 3 and 3 5 changed at 2, 4 plain, 2 3 changed at 1.
  BOOST_TEST(f.token == (sequence{1, 2, 3, 3, 3, 5, 4, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(f.parent == (sequence{-1, 0, 1, 1, 1, 4, 1, 0, 7}), boost::test_tools::per_element());
  BOOST_TEST(f.last == (sequence{3, 2, 8, 6, 5}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(packs_cover_every_node_once_and_hold_every_ancestor) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    const prefix_forest f = build(random_sequences(random, 150, 1 + random() % 60, 1 + round % 4));
    for (const std::size_t tokens : {1U, 16U, 17U, 64U, 1000U, 100000U}) check_packs(f, tokens);
  }
}

BOOST_AUTO_TEST_CASE(one_pack_that_holds_all_has_no_ancestors) {
  std::mt19937 random(5);
  const prefix_forest f = build(random_sequences(random, 100, 20, 3));
  const std::vector<pack> packs = depthlens::cut_packs(f, {f.size()});
  BOOST_REQUIRE_EQUAL(packs.size(), 1U);
  BOOST_TEST(packs[0].ancestors.empty());
  BOOST_TEST(packs[0].size() == f.size());
}

BOOST_AUTO_TEST_CASE(unrelated_prompts_are_hardly_ever_computed_twice) {
  std::mt19937 random(6);
  std::vector<sequence> prompts(400);
  for (sequence& s : prompts) {
    s.resize(10 + random() % 40);
    for (std::int32_t& id : s) id = static_cast<std::int32_t>(random() % 1000000);
  }
  const prefix_forest f = build(prompts);
  BOOST_TEST(computed(f, 256) <= f.size() + f.size() / 50);
}

BOOST_AUTO_TEST_CASE(a_long_common_beginning_is_not_computed_again_for_each_prompt) {
  std::mt19937 random(7);
  const sequence shots(500, 7);
  std::vector<sequence> prompts(200, shots);
  for (sequence& s : prompts)
    for (int i = 0; i < 20; ++i) s.push_back(static_cast<std::int32_t>(random() % 100000));
  const prefix_forest f = build(prompts);
  BOOST_TEST(f.size() >= 4000U);
  BOOST_TEST(computed(f, 256) <= f.size() + f.size() / 2);
  BOOST_TEST(computed(f, 2048) <= f.size() + f.size() / 5);
}

BOOST_AUTO_TEST_CASE(with_room_for_kept_paths_no_node_is_computed_twice) {
  std::mt19937 random(8);
  for (int round = 0; round < 100; ++round) {
    const prefix_forest f = build(random_sequences(random, 200, 1 + random() % 80, 1 + round % 4));
    for (const unsigned threads : {1U, 2U, 16U})
      for (const std::size_t tokens : {16U, 50U, 1000U}) {
        std::size_t n = 0, end = 0;
        for (const pack& p : depthlens::cut_packs(f, {tokens, 1000000, threads})) {
          BOOST_REQUIRE_EQUAL(p.begin, static_cast<std::int32_t>(end));
          BOOST_REQUIRE(p.ancestors.empty());
          end = static_cast<std::size_t>(p.end);
          n += p.size();
        }
        BOOST_REQUIRE_EQUAL(n, f.size());
      }
  }
}

BOOST_AUTO_TEST_CASE(schedules_end_in_whatever_order_packs_do_and_keep_no_more_than_allowed) {
  std::mt19937 random(9);
  for (int round = 0; round < 150; ++round) {
    const prefix_forest f = build(random_sequences(random, 300, 1 + random() % 80, 1 + round % 4));
    for (const unsigned threads : {1U, 2U, 7U})
      for (const std::size_t kept : {0U, 1U, 5U, 30U, 100U, 100000U})
        play(f, {16 + random() % 50, kept, threads}, random);
  }
}

BOOST_AUTO_TEST_CASE(a_trunk_is_a_pack_of_its_own_and_its_branches_wait_for_nothing_else) {
  std::mt19937 random(10);
  std::vector<sequence> prompts(200, sequence(500, 7));
  for (sequence& s : prompts)
    for (int i = 0; i < 20; ++i) s.push_back(static_cast<std::int32_t>(random() % 100000));
  const prefix_forest f = build(prompts);
  const std::vector<pack> packs = depthlens::cut_packs(f, {1024, 2000, 2});
  BOOST_TEST(packs.at(0).end >= 500);
  BOOST_TEST(packs.at(0).end <= 510);
  BOOST_TEST(packs.at(0).kept_tokens == 500U);
  BOOST_TEST(packs.size() > 4U);
  for (std::size_t i = 1; i < packs.size(); ++i) {
    BOOST_TEST(packs[i].prefix == 0);
    BOOST_TEST(packs[i].keep < 0);
  }
  BOOST_TEST(packs.back().size() < 600U);  // small ones at the end
}

BOOST_AUTO_TEST_CASE(a_deep_chain_does_not_explode) {
  const prefix_forest f = build({sequence(8192, 1)});
  check_packs(f, 256);
  BOOST_TEST(f.size() == 8192U);
  BOOST_TEST(computed(f, 256) <= 3 * f.size());
  BOOST_TEST(computed(f, 2048) <= 2 * f.size());
}

BOOST_AUTO_TEST_CASE(a_comb_of_nested_prompts_does_not_explode) {
  // Every prefix of one text with another last token: the shape of prompts cut from a paragraph.
  std::vector<sequence> prompts;
  for (std::int32_t n = 1; n < 2000; ++n) {
    sequence s(static_cast<std::size_t>(n), 1);
    s.push_back(2);
    prompts.push_back(std::move(s));
  }
  const prefix_forest f = build(prompts);
  check_packs(f, 256);
  BOOST_TEST(computed(f, 2048) <= 3 * f.size());
}

BOOST_AUTO_TEST_SUITE_END()
