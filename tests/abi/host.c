/* host.c - today's host against plugins of another age: those built from the frozen headers of an earlier minor (the
 * templates, as people copied them), and one that is newer than the host.
 * host FOLDER: the folder of the built plugins. */
#include <hf_hub.h>
#include <stdio.h>
#include <string.h>

static unsigned failures;

static void expect(int cond, const char *what, const char *detail) {
  if (cond) return;
  fprintf(stderr, "FAILED: %s: %s\n", what, detail ? detail : "");
  failures++;
}

static int32_t on_record(void *arg, uint32_t what, const char *json, size_t len) {
  char *said = arg;
  size_t n = strlen(said);
  (void)what;
  if (n + len + 2 < 512) memcpy(said + n, json, len), memcpy(said + n + len, ";", 2);
  return 0;
}

static void runs(hf_runtime *rt, const char *task, const char *args, const char *want) {
  char said[512] = "";
  hf_op *op = hf_op_start(rt, task, args,
                          &(struct hf_watch){.struct_size = sizeof(struct hf_watch), .arg = said, .record = on_record});
  hf_status st = hf_op_wait(op);
  expect(st == HF_OK, task, hf_op_error(op) ? hf_op_error(op)->message : hf_status_name(st));
  expect(strcmp(said, want) == 0, task, said);
  hf_op_free(op);
}

static void opens(hf_runtime *rt, uint32_t kind, const char *name) {
  const char *why = NULL;
  const struct hf_module *m = hf_plugin_open(rt, kind, name, &why);
  expect(m != NULL, name, why);
}

static hf_status look(hf_call *c, void *arg) {
  (void)arg;
  hf_store *s;
  struct hf_st_file f;
  struct hf_name n = {{"model", "a/b"}, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x.bin"};
  hf_status st = hf_store_open(c, "newer:", &s);
  if (st != HF_OK) return st;
  st = hf_store_find(c, s, &n, &f);
  expect(st == HF_OK && f.size == 42 && f.etag && strcmp(f.etag, "newer") == 0, "newer", "find gave another row");
  expect(f.struct_size == sizeof f, "newer", "a longer row was not cut to ours");
  st = hf_store_remove(c, s, &n);
  expect(st == HF_ENOSYS, "newer", "a function that it lacks was not answered with HF_ENOSYS");
  hf_host()->clear(c);
  hf_store_close(s);
  return HF_OK;
}

int main(int argc, char **argv) {
  hf_runtime *rt = NULL;
  struct hf_runtime_opts o = {.struct_size = sizeof o, .plugin_path = argc > 1 ? argv[1] : ""};
  if (hf_runtime_new(&o, &rt)) {
    fprintf(stderr, "%s\n", hf_runtime_problem());
    return 2;
  }
  opens(rt, HF_KIND_STORAGE, "old-storage");
  opens(rt, HF_KIND_TRANSFER, "old-transfer");
  opens(rt, HF_KIND_PROVIDER, "old-provider");
  runs(rt, "old-tasks.greet", "{\"who\":\"you\"}", "{\"round\":1,\"greeting\":\"hello\",\"who\":\"you\"};{};");
  runs(rt, "newer.say", "{\"word\":\"\\\"hi\\\"\"}", "\"hi\";");
  opens(rt, HF_KIND_STORAGE, "newer");
  hf_op *op = hf_op_start_fn(rt, look, NULL, NULL);
  hf_status st = hf_op_wait(op);
  expect(st == HF_OK, "newer", hf_op_error(op) ? hf_op_error(op)->message : hf_status_name(st));
  hf_op_free(op);
  hf_runtime_free(rt);
  return failures != 0;
}
