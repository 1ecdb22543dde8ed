// SPDX-License-Identifier: Apache-2.0
// Runs of the tiny models of tests/golden, all on the same few prompts.
#pragma once

#include "program/demo.hpp"

#include <array>
#include <string>
#include <vector>

namespace depthlens::test {

// Runs of the tiny models on the same few prompts.
class tiny_runs {
 public:
  explicit tiny_runs(const std::string& counts_of) : counts_(folder_.path() / "counts.json") {
    boost::json::array facts, prompts;
    std::string text;
    for (const auto& [prompt, answer, subject] :
         std::vector<std::array<const char*, 3>>{{"The capital of France is", " Paris", "France"},
                                                 {"The capital of Spain is", " Madrid", "Spain"},
                                                 {"The river of France is", " Seine", "France"},
                                                 {"the sea was calm and the", " ship", "sea"},
                                                 {"a tree in the garden of the", " house", "garden"}}) {
      facts.push_back(boost::json::object{{"prompt", prompt}, {"answer", answer}, {"subject", subject}});
      prompts.push_back(boost::json::object{{"prompt", prompt}});
      text += std::string(prompt) + answer + "\n";
    }
    facts_ = folder_.write("facts.json", boost::json::serialize(facts));
    prompts_ = folder_.write("prompts.json", boost::json::serialize(prompts));
    const std::string words_of = folder_.write("text.txt", text);
    must_work({"tokens", "count", "--model", model(counts_of), "--text", words_of, "--out", counts_});
  }
  static std::string model(const std::string& name) { return source_tree() / "tests/golden/models" / name; }
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::filesystem::path flips(const std::string& of, const std::string& out, const words& more = {}) const {
    return run(words{"run", "flips", "--data", "flips=" + prompts_, "--token-counts", counts_}, model(of),
               out, more);
  }
  // Of the first sentences of the demo.
  std::filesystem::path pos(const std::string& of, const std::string& out, const words& more = {}) const {
    return run(words{"run", "pos", "--limit", "12", "--data"} +
                   words{cat("pos=", (source_tree() / "share/demo/prose.conllu").string())},
               model(of), out, more);
  }
  std::filesystem::path facts(const std::string& of, const std::string& out, const words& more = {}) const {
    return facts_of(model(of), out, more);
  }
  std::filesystem::path facts_of(const std::filesystem::path& model, const std::string& out,
                                 const words& more = {}) const {
    return run(words{"run", "facts", "--data", "facts=" + facts_, "--whitespace", "keep"}, model, out, more);
  }

 private:
  std::filesystem::path run(const words& command, const std::string& model, const std::string& out,
                            const words& more) const {
    must_work(command + words{"--model", model, "--backend", "cpu", "--format", "svg", "--out", path(out)} +
              more);
    return path(out);
  }

  scratch_folder folder_;
  std::string facts_, prompts_, counts_;
};

}  // namespace depthlens::test
