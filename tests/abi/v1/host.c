// SPDX-License-Identifier: Apache-2.0
// The host of interface 1.0, as small as can be: loads an experiment, gives it one record and a model that is
// made up, and prints its rows. Built from the headers of this folder alone, it shows that today's plugins
// work in the host that was there first.
#include "depthlens/abi/experiment.h"
#include "depthlens/abi/plugin.h"

#include <string.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAYERS = 3, MOST_READS = 64 };

static dlens_text text_of(const char *s) {
  const dlens_text out = {s, strlen(s)};
  return out;
}

static void write_log(const dlens_host *h, int32_t level, dlens_text message) {
  (void)h, (void)level;
  fprintf(stderr, "%.*s\n", (int)message.size, message.data);
}
static uint32_t should_stop(const dlens_host *h) { return (void)h, 0; }
static const void *no_extension(const dlens_host *h, const char *id) { return (void)h, (void)id, NULL; }

static dlens_status encode(const dlens_tokenizer *t, dlens_text text, uint32_t mode, int32_t *ids,
                           uint64_t capacity, uint64_t *count, dlens_error *error) {
  (void)t, (void)mode, (void)error;
  for (uint64_t i = 0; i < text.size && i < capacity; ++i) ids[i] = (unsigned char)text.data[i];
  *count = text.size;
  return DLENS_OK;
}
static dlens_text bytes(const dlens_tokenizer *t, int32_t id) { return (void)t, (void)id, text_of("x"); }
static uint32_t is_special(const dlens_tokenizer *t, int32_t id) { return (void)t, (void)id, 0; }
static dlens_status prefix(const dlens_tokenizer *t, int32_t *ids, uint64_t capacity, uint64_t *count,
                           dlens_error *error) {
  (void)t, (void)ids, (void)capacity, (void)error;
  *count = 0;
  return DLENS_OK;
}
static dlens_status decode(const dlens_tokenizer *t, const int32_t *ids, uint64_t n, char *out,
                           uint64_t capacity, uint64_t *size, dlens_error *error) {
  (void)t, (void)error;
  for (uint64_t i = 0; i < n && i < capacity; ++i) out[i] = (char)ids[i];
  *size = n;
  return DLENS_OK;
}

// What the experiment asks for in a round.
static uint32_t n_reads, n_rounds, n_sequences;

static dlens_status add_sequence(const dlens_request *r, const int32_t *ids, uint64_t n, uint32_t *sequence,
                                 dlens_error *error) {
  (void)r, (void)ids, (void)n, (void)error;
  *sequence = n_sequences++;
  return DLENS_OK;
}
static dlens_status add_read(const dlens_request *r, const dlens_read *read, uint32_t *number,
                             dlens_error *error) {
  (void)r, (void)read, (void)error;
  *number = n_reads++;
  return DLENS_OK;
}
static int32_t final_top(const dlens_tops *t, uint32_t round, uint32_t read) {
  return (void)t, (void)round, (void)read, 7;
}

static dlens_status reading(const dlens_answers *a, uint32_t round, uint32_t read, const dlens_reading **out,
                            dlens_error *error) {
  static const int32_t layers[LAYERS] = {0, 1, 2}, ids[MOST_READS] = {7}, guesses[LAYERS] = {5, 6, 7};
  static const uint32_t ranks[LAYERS] = {9, 4, 1}, none[LAYERS];
  static const float values[LAYERS] = {3.5F, 2.25F, 0.5F};
  static const uint32_t *rank_of[MOST_READS], *ties_of[MOST_READS];
  static const float *logprob_of[MOST_READS];
  static dlens_reading one;
  (void)a, (void)round, (void)read, (void)error;
  for (int k = 0; k < MOST_READS; ++k) rank_of[k] = ranks, ties_of[k] = none, logprob_of[k] = values;
  one = (dlens_reading){.size = sizeof one,
                        .n_layers = LAYERS,
                        .n_targets = 1,
                        .final_top = 7,
                        .layers = layers,
                        .targets = ids,
                        .rank = rank_of,
                        .ties = ties_of,
                        .logprob = logprob_of,
                        .entropy = values,
                        .kl = values,
                        .guess = guesses};
  *out = &one;
  return DLENS_OK;
}

static dlens_status append(const dlens_sink *s, uint32_t table, const dlens_value *values, uint64_t n,
                           dlens_error *error) {
  (void)s, (void)error;
  printf("%u", table);
  for (uint64_t i = 0; i < n; ++i) {
    if (values[i].type == DLENS_NULL) printf(",");
    if (values[i].type == DLENS_I64) printf(",%lld", (long long)values[i].as.i64);
    if (values[i].type == DLENS_F64 || values[i].type == DLENS_F32) printf(",%g", values[i].as.f64);
    if (values[i].type == DLENS_TEXT) printf(",%.*s", (int)values[i].as.text.size, values[i].as.text.data);
  }
  printf("\n");
  return DLENS_OK;
}
static dlens_status count(const dlens_sink *s, dlens_text set, dlens_text reason, uint64_t n,
                          dlens_error *error) {
  (void)s, (void)set, (void)error;
  printf("count %llu \"%.*s\"\n", (unsigned long long)n, (int)reason.size, reason.data);
  return DLENS_OK;
}

static void check(dlens_status status, const char *what, const dlens_error *error) {
  if (status == DLENS_OK) return;
  fprintf(stderr, "%s: %d %s\n", what, status, error->message);
  exit(1);
}

int main(int argc, char **argv) {
  static const dlens_host host = {.size = sizeof host,
                                  .abi_major = DLENS_ABI_MAJOR,
                                  .abi_minor = DLENS_ABI_MINOR,
                                  .name = "depthlens",
                                  .version = "first",
                                  .log = write_log,
                                  .should_stop = should_stop,
                                  .get_extension = no_extension};
  static const dlens_tokenizer tokenizer = {.size = sizeof tokenizer,
                                            .vocabulary = 256,
                                            .encode = encode,
                                            .bytes = bytes,
                                            .is_special = is_special,
                                            .prefix = prefix,
                                            .decode = decode};
  dlens_error error = {.size = sizeof error};
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library == NULL) return fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "usage: host PLUGIN"), 1;
  dlens_entry *entry = (dlens_entry *)dlsym(library, DLENS_ENTRY_SYMBOL);
  const dlens_plugin *plugin = entry();
  if (plugin->abi_major != DLENS_ABI_MAJOR || !DLENS_HAS(dlens_plugin, plugin, reserved)) return 2;
  if (plugin->init != NULL) check(plugin->init(&host, argv[1], &error), "init", &error);
  const dlens_experiment *e = plugin->get_interface(DLENS_EXPERIMENT_INTERFACE);
  dlens_pair options[16];
  uint64_t n_options = 0;
  for (uint64_t i = 0; i < e->n_options && n_options < 16; ++i)
    if (e->options[i]->fallback != NULL)
      options[n_options++] = (dlens_pair){text_of(e->options[i]->id), text_of(e->options[i]->fallback)};
  const char *const labels[] = {"logit"};
  const dlens_dataset data = {.size = sizeof data, .set = "", .kind = DLENS_KIND_PROMPT};
  const dlens_dataset *const datasets[] = {&data};
  const dlens_run run = {.size = sizeof run,
                         .n_layers = LAYERS - 1,
                         .vocab_size = 256,
                         .max_positions = 64,
                         .n_lenses = 1,
                         .n_datasets = 1,
                         .name = "made up",
                         .lens_labels = labels,
                         .datasets = datasets,
                         .tokenizer = &tokenizer,
                         .host = &host};
  dlens_study *study = NULL;
  check(e->study_create(&run, options, n_options, &study, &error), "study_create", &error);
  const dlens_description *description = NULL;
  check(study->describe(study, &description, &error), "describe", &error);
  const dlens_pair fields[] = {{text_of(DLENS_FIELD_PROMPT), text_of("a b")}};
  const dlens_record record = {
      .size = sizeof record, .fields = fields, .n_fields = 1, .left_out = text_of("")};
  const dlens_request request = {.size = sizeof request, .add_sequence = add_sequence, .add_read = add_read};
  do {
    const dlens_tops tops = {.size = sizeof tops, .n_rounds = n_rounds, .final_top = final_top};
    n_reads = n_sequences = 0;
    check(study->plan(study, &record, &tops, &request, &error), "plan", &error);
  } while (n_reads > 0 && ++n_rounds < 16);
  const dlens_tops tops = {.size = sizeof tops, .n_rounds = n_rounds, .final_top = final_top};
  const dlens_answers answers = {.size = sizeof answers, .tops = &tops, .reading = reading};
  const dlens_sink sink = {.size = sizeof sink, .append = append, .count = count};
  check(study->consume(study, &record, &answers, 0, &sink, &error), "consume", &error);
  study->destroy(study);
  if (plugin->deinit != NULL) plugin->deinit();
  return 0;
}
