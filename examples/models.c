/* models.c - a program that asks models: an answer as it is made, several at once, a picture in and a picture out.
 * cc models.c $(pkg-config --cflags --libs libhf) -o models && ./models URL QUESTION... (URL: of an endpoint; "" the Hub's)
 * Questions are asked at the same time and their answers printed in order; MODEL names the model, PICTURE a file to describe. */
#include <hf_inference.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUESTIONS_MAX = 32 };

struct answer { /* of one question, as it is made */
  char text[4000];
  size_t len;
};

/* The text of {"choices":[{"delta":{"content":"..."}}]}: enough for an example, a program would use its JSON library. */
static int32_t on_item(void *arg, const char *json, size_t len) {
  struct answer *a = arg;
  const char *at = strstr(json, "\"content\":\"");
  (void)len;
  for (at = at ? at + 11 : ""; *at && *at != '"' && a->len + 1 < sizeof a->text; at++) {
    if (*at == '\\' && at[1]) at++;
    a->text[a->len++] = *at;
  }
  a->text[a->len] = '\0';
  return 0; /* anything else ends the stream */
}

static int failed(const char *what, struct hf_inf_result *r) {
  fprintf(stderr, "%s: %s\n", what, r && r->error ? r->error->message : "out of memory");
  hf_inf_result_free(r);
  return 1;
}

static int ask_all(hf_runtime *rt, const struct hf_inf_opts *common, char **questions, int n) {
  struct answer *answers = calloc((size_t)n, sizeof *answers);
  struct hf_inf_result *results[QUESTIONS_MAX];
  hf_op *ops[QUESTIONS_MAX];
  int bad = answers == NULL;
  for (int i = 0; i < n && answers; i++) {
    char args[1000];
    struct hf_inf_opts o = *common;
    o.arg = &answers[i];
    o.item = on_item;
    o.first_ms = 60000;
    snprintf(args, sizeof args, "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"max_tokens\":200}",
             questions[i]);
    ops[i] = hf_inference_start(rt, "conversational", args, &o, &results[i]);
  }
  for (int i = 0; i < n && answers; i++) {
    if (ops[i] == NULL || hf_op_wait(ops[i])) {
      hf_op_free(ops[i]);
      bad = failed(questions[i], results[i]);
      continue;
    }
    hf_op_free(ops[i]);
    hf_inf_result_free(results[i]);
    printf("%s\n", answers[i].text);
  }
  free(answers);
  return bad;
}

int main(int argc, char **argv) {
  struct hf_inf_opts o = {.struct_size = sizeof o, .model = getenv("MODEL"), .timeout_ms = 120000};
  struct hf_inf_result *r;
  hf_runtime *rt;
  if (argc < 3 || argc - 2 > QUESTIONS_MAX) return fprintf(stderr, "usage: models URL QUESTION...\n"), 2;
  if (hf_runtime_new(NULL, &rt)) return fprintf(stderr, "%s\n", hf_runtime_problem()), 1;
  if (argv[1][0]) o.base_url = argv[1];
  int bad = ask_all(rt, &o, argv + 2, argc - 2);
  if (getenv("PICTURE")) {
    struct hf_inf_media picture = {.path = getenv("PICTURE")};
    if (hf_image_to_text(rt, &picture, &o, &r)) {
      bad = failed("picture", r);
    } else {
      printf("%s\n", r->json); /* a record: every member that the server sent */
      hf_inf_result_free(r);
    }
  }
  hf_runtime_free(rt);
  return bad;
}
