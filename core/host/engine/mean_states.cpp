// SPDX-License-Identifier: Apache-2.0
#include "engine/mean_states.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/files/safetensors.hpp"
#include "depthlens/files/safetensors_writer.hpp"
#include "depthlens/study/exact_sum.hpp"
#include "engine/dataset_records.hpp"
#include "engine/record_job.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

namespace depthlens {
namespace {

struct first_reads {
  std::vector<std::vector<std::int32_t>> sequences;
  std::vector<read_request> requests;
};

// What the study asks for in its first round for a record.
void add_reads(const study_session& session, record_job& job, first_reads& out) {
  if (!session.plan_record(job)) return;
  const auto first = static_cast<std::uint32_t>(out.sequences.size());
  for (auto& ids : job.last_round().sequences) out.sequences.push_back(std::move(ids));
  for (const read_request& request : job.last_round().reads)
    if (request.position > 0)
      out.requests.push_back({first + request.sequence, request.position, {-1}, 0, true});
}

}  // namespace

std::optional<mean_states> mean_of_states(const run_context& context,
                                          const std::vector<std::unique_ptr<study_session>>& sessions,
                                          const evaluator& run, std::uint32_t d_model, std::uint64_t records,
                                          const std::atomic<bool>& stop) {
  constexpr std::size_t at_once = 16;  // records, so that states are summed soon
  mean_states out{context.n_layers, d_model, 0, {}};
  std::vector<exact_sum> sums((std::size_t{context.n_layers} + 1) * d_model);
  std::mutex guard;
  first_reads reads;
  std::uint64_t n = 0;
  const auto add = [&] {
    run.run({reads.sequences, reads.requests},
            [&](std::size_t, const std::shared_ptr<const site_readings>& r) {
              const std::lock_guard lock(guard);
              ++out.positions;
              for (std::size_t i = 0; i < sums.size(); ++i) sums[i].add(static_cast<double>(r->hidden[i]));
            });
    reads = {};
  };
  for (std::uint32_t s = 0; s < sessions.size(); ++s) {
    const study_plan& plan = sessions[s]->plan();
    for (std::uint32_t d = 0; d < plan.datasets.size(); ++d) {
      const dataset_plan& data = plan.datasets[d];
      const auto reader = open_records(data, context);
      const std::uint64_t limit = sessions[s]->limit_of(data);
      std::uint64_t row = 0;
      for (record r; n < records && row < limit && reader->next(r); ++n, ++row) {
        record_job job(std::move(r), d, s);
        add_reads(*sessions[s], job, reads);
        if ((n + 1) % at_once == 0) add();
        if (stop) return std::nullopt;
      }
    }
  }
  add();
  if (out.positions == 0)
    fail(status::usage, "--null mean: no position behind the first is read, so there is no mean");
  for (const exact_sum& sum : sums) {
    const std::optional<double> mean = sum.mean();
    if (!mean) fail(status::data, "--null mean: the model's states are not finite");
    out.values.push_back(static_cast<float>(*mean));
  }
  return out;
}

void mean_states::write(const std::filesystem::path& file) const {
  const named_floats mean{"mean", {n_layers + std::uint64_t{1}, d_model}, values};
  write_safetensors(file, {&mean, 1}, {{"positions", std::to_string(positions)}});
}

mean_states mean_states::read(const std::filesystem::path& file, std::uint32_t n_layers,
                              std::uint32_t d_model) {
  const safetensors_file stored(file);
  const auto tensors = stored.tensors();
  const std::vector<std::uint64_t> shape = {n_layers + std::uint64_t{1}, d_model};
  if (tensors.size() != 1 || tensors[0].view.name != "mean" || tensors[0].view.type != dtype::f32 ||
      tensors[0].view.shape != shape)
    fail(status::data, file.string(), ": expected one tensor \"mean\", F32, of ", shape[0], " x ", shape[1]);
  mean_states out{n_layers, d_model, 0, std::vector<float>(static_cast<std::size_t>(shape[0] * shape[1]))};
  std::memcpy(out.values.data(), tensors[0].view.data, out.values.size() * sizeof(float));
  return out;
}

std::string mean_states::sha256() const { return depthlens::sha256(std::as_bytes(std::span(values))); }

}  // namespace depthlens
