// SPDX-License-Identifier: Apache-2.0
// An experiment of interface 1.0, in what C and C++ have in common; built from the headers of this folder
// alone. How undecided is each layer about the next token?
#include "depthlens/abi/experiment.h"
#include "depthlens/abi/plugin.h"

#include <string.h>
#include <stdio.h>
#include <stdlib.h>

static const dlens_column id_column = {sizeof(dlens_column), DLENS_I64, "prompt_id", "row, from 0"};
static const dlens_column layer_column = {sizeof(dlens_column), DLENS_I64, "layer", "0 = embeddings"};
static const dlens_column entropy_column = {sizeof(dlens_column), DLENS_F32, "entropy", "of the guess, nats"};
static const dlens_column *const columns[] = {&id_column, &layer_column, &entropy_column};
static const dlens_table rows = {sizeof(dlens_table), 0, "rows", "frozen_{lens}", columns, 3};
static const dlens_table *const tables[] = {&rows};
static const dlens_description description = {sizeof(dlens_description), 0, tables, 1};

static dlens_text text_of(const char *s) {
  dlens_text out;
  out.data = s;
  out.size = strlen(s);
  return out;
}

static dlens_value number(uint32_t type) {
  dlens_value out;
  memset(&out, 0, sizeof out);
  out.type = type;
  return out;
}

static dlens_status describe(const dlens_study *study, const dlens_description **out, dlens_error *error) {
  (void)study, (void)error;
  *out = &description;
  return DLENS_OK;
}

static dlens_status plan(const dlens_study *study, const dlens_record *record, const dlens_tops *tops,
                         const dlens_request *request, dlens_error *error) {
  const dlens_tokenizer *t = ((const dlens_run *)study->self)->tokenizer;
  int32_t ids[512];
  uint64_t n = 0;
  uint32_t sequence = 0, read = 0;
  dlens_read last;
  dlens_status status = DLENS_OK;
  for (uint64_t i = 0; tops->n_rounds == 0 && i < record->n_fields; ++i)
    if (record->fields[i].key.size == 6 && memcmp(record->fields[i].key.data, DLENS_FIELD_PROMPT, 6) == 0)
      status = t->encode(t, record->fields[i].value, DLENS_ENCODE_PROMPT, ids, 512, &n, error);
  if (status != DLENS_OK || n == 0 || n > 512) return status;
  status = request->add_sequence(request, ids, n, &sequence, error);
  memset(&last, 0, sizeof last);
  last.size = sizeof last;
  last.sequence = sequence;
  last.position = n - 1;
  return status != DLENS_OK ? status : request->add_read(request, &last, &read, error);
}

static dlens_status consume(const dlens_study *study, const dlens_record *record,
                            const dlens_answers *answers, uint32_t lens, const dlens_sink *sink,
                            dlens_error *error) {
  const int read = record->left_out.size == 0 && answers->tops->n_rounds > 0;
  dlens_status status = sink->count(sink, text_of(""), text_of(read ? "" : "not read"), 1, error);
  const dlens_reading *reading = NULL;
  (void)study, (void)lens;
  if (status == DLENS_OK && read) status = answers->reading(answers, 0, 0, &reading, error);
  for (uint32_t i = 0; status == DLENS_OK && reading != NULL && i < reading->n_layers; ++i) {
    dlens_value row[3];
    row[0] = number(DLENS_I64), row[0].as.i64 = (int64_t)record->index;
    row[1] = number(DLENS_I64), row[1].as.i64 = reading->layers[i];
    row[2] = number(DLENS_F32), row[2].as.f64 = (double)reading->entropy[i];
    status = sink->append(sink, 0, row, 3, error);
  }
  return status;
}

static void destroy(dlens_study *study) { free(study); }

static dlens_status study_create(const dlens_run *run, const dlens_pair *options, uint64_t n,
                                 dlens_study **out, dlens_error *error) {
  dlens_study *made = (dlens_study *)calloc(1, sizeof *made);
  (void)options, (void)n;
  if (made == NULL) {
    snprintf(error->message, sizeof error->message, "out of memory");
    return error->code = DLENS_UNAVAILABLE;
  }
  made->size = sizeof *made;
  made->self = (void *)run;
  made->describe = describe;
  made->plan = plan;
  made->consume = consume;
  made->destroy = destroy;
  *out = made;
  return DLENS_OK;
}

static const char *const kinds[] = {DLENS_KIND_PROMPT, NULL};
static const dlens_input prompts = {sizeof(dlens_input), 0, "", kinds};
static const dlens_input *const inputs[] = {&prompts};
static const dlens_experiment experiment = {sizeof(dlens_experiment), 0, NULL, 0, inputs, 1, study_create};

static const void *get_interface(const char *id) {
  return strcmp(id, DLENS_EXPERIMENT_INTERFACE) == 0 ? &experiment : NULL;
}

const dlens_plugin *dlens_entry_v1(void) {
  static const dlens_plugin plugin = {sizeof(dlens_plugin),
                                      DLENS_ABI_MAJOR,
                                      DLENS_ABI_MINOR,
                                      "experiment.frozen",
                                      "1.0.0",
                                      "How undecided each layer is about the next token",
                                      "Apache-2.0",
                                      "C",
                                      NULL,
                                      NULL,
                                      get_interface,
                                      0,
                                      0,
                                      0};
  return &plugin;
}
