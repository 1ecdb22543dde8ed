// SPDX-License-Identifier: Apache-2.0
// The interface "depthlens.trainer/1", which a backend's model may offer (dlens_model.get_extension):
// training of tuned lenses.
#ifndef DLENS_ABI_TRAINER_H
#define DLENS_ABI_TRAINER_H

#include "backend.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DLENS_TRAINER_INTERFACE "depthlens.trainer/1"

enum { DLENS_OPTIMIZER_SGD = 1, DLENS_OPTIMIZER_ADAM = 2 };
enum { DLENS_TRAINER_BIAS_ONLY = 1 };
enum {
  DLENS_FIT_TRANSLATORS = 1,  // the least-squares prediction of the normed final state from each layer's
  DLENS_FIT_COORDINATES =
      2  // steps are taken where a layer's states have mean 0, variance 1 and no correlations
};

// How translators are trained: t = h + A h + b at every layer 0..n-1, from A = 0, b = 0. With p the
// parameters, which are A and b in the coordinates of fit, and g their gradient,
//   SGD: m = momentum m + g; p -= rate (g + momentum m), which is Nesterov's form
//   Adam: m = momentum m + (1 - momentum) g; v likewise of g^2; p -= rate m' / (sqrt(v') + 1e-8), m', v'
//     without bias
// Before that, p -= rate * weight_decay * p.
typedef struct dlens_trainer_options {
  uint32_t size;
  uint32_t optimizer;  // DLENS_OPTIMIZER_...
  uint32_t flags;      // DLENS_TRAINER_BIAS_ONLY: A stays as it is
  uint32_t threads;    // that a call may use
  double momentum;
  double second_momentum;  // of Adam's v
  double weight_decay;     // 0 = none
  double gradient_limit;   // a layer's gradient of a larger norm is scaled down to it; 0 = no limit
} dlens_trainer_options;

// A part of a trainer's state: float32, row-major.
typedef struct dlens_trainer_array {
  uint32_t size;
  uint32_t n_dims;   // 1..4
  const char *name;  // "weight" (n, D, D) and "bias" (n, D) are the translators, others the optimizer's
  uint64_t shape[4];
} dlens_trainer_array;

// Trains the translators of a tuned lens, of all layers together. Losses are KL(final || lens) in nats at
// layers 0..n-1, means over the distinct tokens that the pack reads; its lenses, targets, kept path and
// hidden states are not used. One call at a time; the same calls give the same state to the bit where the
// device computes so.
typedef struct dlens_trainer {
  uint32_t size;
  uint32_t reserved;
  void *self;

  // loss (n + 1): of the translators as they are; the last is that of the unigram predictor, which says at
  // every token the mean of the final outputs that were trained on, NaN before the first step. [main]
  dlens_status (*measure)(struct dlens_trainer *, const dlens_batch *batch, float *loss, dlens_error *error);
  // loss (n): of the translators before the step, which the optimizer takes down their gradient. [main]
  dlens_status (*step)(struct dlens_trainer *, const dlens_batch *batch, double learning_rate, float *loss,
                       dlens_error *error);
  // Gathers the states of a pack for fit. [main]
  dlens_status (*observe)(struct dlens_trainer *, const dlens_batch *batch, dlens_error *error);
  // Sets what is asked for (DLENS_FIT_...) from all that was observed, which is forgotten. `ridge` is added
  // to the variances of a layer's states, as a share of their mean. [main]
  dlens_status (*fit)(struct dlens_trainer *, uint32_t what, double ridge, dlens_error *error);
  // How many arrays the state has; *arrays is valid until destroy. [main]
  uint64_t (*arrays)(const struct dlens_trainer *, const dlens_trainer_array *const **arrays);
  // read copies an array to the caller's buffer of its shape, write from one. Both [main]
  dlens_status (*read)(const struct dlens_trainer *, uint64_t array, float *values, dlens_error *error);
  dlens_status (*write)(struct dlens_trainer *, uint64_t array, const float *values, dlens_error *error);
  void (*destroy)(struct dlens_trainer *);  // [main]
} dlens_trainer;

typedef struct dlens_training {
  uint32_t size;
  uint32_t reserved;
  // Makes a trainer of the model that was asked for this interface; *trainer is freed by its destroy before
  // the model is. [main], no forward call while one of its functions runs.
  dlens_status (*trainer_create)(const dlens_model *, const dlens_trainer_options *options,
                                 dlens_trainer **trainer, dlens_error *error);
} dlens_training;

DLENS_ASSERT(offsetof(dlens_trainer_options, gradient_limit) == 40);
DLENS_ASSERT(offsetof(dlens_trainer_array, shape) == 16);
DLENS_ASSERT(offsetof(dlens_trainer, destroy) == 72);
DLENS_ASSERT(offsetof(dlens_training, trainer_create) == 8);

#ifdef __cplusplus
}
#endif

#endif
