// SPDX-License-Identifier: Apache-2.0
// The lens that a training ends with: each layer as trained, or as it began where that reads held-out text
// better.
#pragma once

#include "model/opened_model.hpp"
#include "training/training_course.hpp"

namespace depthlens {

// Measures the lens, writes its files and tables, and notes in run.json how it came out, without writing
// that. Warns of layers that read worse than the logit lens. False where it was stopped: the checkpoint is of
// the last step then. [main]
bool finish_lens(const train_request& request, const opened_model& model, const training_text& text,
                 const backend_trainer& trainer, training_course& course, held_training& folder);

}  // namespace depthlens
