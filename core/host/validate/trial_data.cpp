// SPDX-License-Identifier: Apache-2.0
#include "validate/trial_data.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/hash.hpp"
#include "depthlens/data/reader.hpp"

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace depthlens {
namespace {

struct trial_file {
  std::string_view kind, name, content, empty;
};

constexpr std::string_view prompts = R"([
 {"prompt": "The capital of France is", "answer": " Paris", "options": [" Paris", " Rome"], "topic": "p"},
 {"prompt": "Water is made of hydrogen and", "answer": " oxygen", "options": [" oxygen", " gold"]},
 {"prompt": "Two and two make", "answer": " four", "options": [" five", " four"]},
 {"prompt": "a", "answer": "b", "options": ["b", "c"]},
 {"prompt": "The capital of France is", "answer": " Lyon", "options": [" Lyon", " Paris"]},
 {"prompt": "\u00dcber den Wolken", "answer": " muss", "options": [" muss", " kann"]},
 {"prompt": "Nothing follows this", "text": "Nothing follows this but a full stop."},
 {"prompt": "", "answer": "x"}
])";

constexpr std::string_view facts = R"([
 {"case_id": 1, "single_hops": [{"question": "q", "cloze": "The capital of Peru is", "answer": "Lima"},
                                {"question": "q", "cloze": "Ice melts to", "answer": "water"}]},
 {"case_id": 2, "single_hops": [{"question": "q", "cloze": "The capital of Peru is", "answer": "Lima"},
                                {"question": "q", "cloze": "", "answer": "left out"}]}
])";

constexpr std::string_view sentences =
    "# newpar\n# sent_id = 1\n# text = The old man didn't sleep.\n"
    "1\tThe\tthe\tDET\t_\t_\t3\tdet\t_\t_\n2\told\told\tADJ\t_\t_\t3\tamod\t_\t_\n"
    "3\tman\tman\tNOUN\t_\t_\t6\tnsubj\t_\t_\n4-5\tdidn't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "4\tdid\tdo\tAUX\t_\t_\t6\taux\t_\t_\n5\tn't\tnot\tPART\t_\t_\t6\tadvmod\t_\t_\n"
    "6\tsleep\tsleep\tVERB\t_\t_\t0\troot\t_\tSpaceAfter=No\n7\t.\t.\tPUNCT\t_\t_\t6\tpunct\t_\t_\n\n"
    "# sent_id = 2\n# text = Ana reads two books about the sea and sings.\n"
    "1\tAna\tAna\tPROPN\t_\t_\t2\tnsubj\t_\t_\n2\treads\tread\tVERB\t_\t_\t0\troot\t_\t_\n"
    "3\ttwo\ttwo\tNUM\t_\t_\t4\tnummod\t_\t_\n4\tbooks\tbook\tNOUN\t_\t_\t2\tobj\t_\t_\n"
    "5\tabout\tabout\tADP\t_\t_\t7\tcase\t_\t_\n6\tthe\tthe\tDET\t_\t_\t7\tdet\t_\t_\n"
    "7\tsea\tsea\tNOUN\t_\t_\t4\tnmod\t_\t_\n8\tand\tand\tCCONJ\t_\t_\t9\tcc\t_\t_\n"
    "9\tsings\tsing\tVERB\t_\t_\t2\tconj\t_\tSpaceAfter=No\n10\t.\t.\tPUNCT\t_\t_\t2\tpunct\t_\t_\n\n";

// Files of which nothing can be read: data without any record the host refuses itself.
constexpr std::string_view no_prompts = R"([{"prompt": ""}])";
constexpr std::string_view no_sentence =
    "# newpar\n# sent_id = 1\n# text = Yes\n1\tYes\tyes\tINTJ\t_\t_\t0\troot\t_\t_\n\n";
constexpr std::string_view no_facts = R"([{"single_hops": [{"cloze": "", "answer": "left out"}]}])";

constexpr std::array files = {trial_file{DLENS_KIND_PROMPT, "prompts.json", prompts, no_prompts},
                              trial_file{DLENS_KIND_FACT, "facts.json", facts, no_facts},
                              trial_file{DLENS_KIND_SENTENCE, "sentences.conllu", sentences, no_sentence},
                              trial_file{DLENS_KIND_CUT, "text.conllu", sentences, no_sentence}};

const trial_file& file_for(const dlens_input& in) {
  for (const char* const* kind = in.kinds; *kind != nullptr; ++kind)
    for (const trial_file& f : files)
      if (f.kind == *kind) return f;
  fail(status::unavailable, "there is no trial data of the kinds that its input \"", in.set, "\" takes");
}

}  // namespace

std::vector<dataset_plan> trial_data(const dlens_experiment& experiment, const std::filesystem::path& folder,
                                     bool empty) {
  std::vector<dataset_plan> out;
  for (const dlens_input* in : std::span(experiment.inputs, experiment.n_inputs)) {
    const trial_file& f = file_for(*in);
    atomic_file file(folder / cat(empty ? "no_" : "", f.name));
    file.write(empty ? f.empty : f.content);
    file.commit();
    dataset_plan d{
        .file = file.path(), .format = detect_format(file.path()), .sha256 = sha256_file(file.path())};
    d.set = std::string_view(in->set) == "*" ? "trial" : in->set;
    d.kind = f.kind;
    out.push_back(std::move(d));
  }
  return out;
}

}  // namespace depthlens
