// SPDX-License-Identifier: Apache-2.0
#include "engine/dataset_records.hpp"

#include "model/model_chat.hpp"

#include <string>
#include <utility>

namespace depthlens {
namespace {

class chat_records final : public record_reader {
 public:
  chat_records(std::unique_ptr<record_reader> of, const model_chat& chat, std::string file)
      : of_(std::move(of)), chat_(chat), file_(std::move(file)) {}

  bool next(record& out) override {
    if (!of_->next(out)) return false;
    if (!out.left_out.empty()) return true;
    // How a text went on behind the bare prompt says nothing of how an answer begins in a chat.
    std::erase_if(out.fields, [](const auto& field) { return field.first == "text"; });
    for (auto& [key, value] : out.fields)
      if (key == "prompt") value = wrapped(value, out.index);
    return true;
  }

 private:
  std::string wrapped(const std::string& prompt, std::uint64_t record) const {
    try {
      return chat_.wrap(prompt);
    } catch (const error& e) {
      fail(e.code(), file_, ": record ", record, ": ", e.what());
    }
  }

  std::unique_ptr<record_reader> of_;
  const model_chat& chat_;
  std::string file_;
};

}  // namespace

std::unique_ptr<record_reader> open_records(const dataset_plan& d, const run_context& context) {
  auto out = open_records(d.file, d.format, d.kind, d.cuts);
  if (context.chat == nullptr) return out;
  if (!is_asked_in_chat(d.kind))
    fail(status::usage, "--chat: ", d.file.string(), " is running text, which no chat template goes around");
  return std::make_unique<chat_records>(std::move(out), *context.chat, d.file.string());
}

}  // namespace depthlens
