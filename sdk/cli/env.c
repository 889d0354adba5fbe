/* env.c - `hf env`: what to paste into a bug report: versions, paths, switches, and where each setting came from.
 * The labels are those of the reference client, so that forms and scripts that expect them keep working; what belongs to
 * Python is answered with what a C program has to say about it. Secrets are never shown. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <hf_hub.h>

#include "cli.h"

static void line(FILE *f, const char *label, const char *value) {
  fprintf(f, "- %s: %s\n", label, value ? value : "None");
}

static bool is_secret(const char *key) {
  return strstr(key, "TOKEN") && !strstr(key, "PATH") && !strstr(key, "DISABLE");
}

static bool has_token(hf_runtime *rt) {
  struct stat st;
  const char *token = hf_config_get(rt, "HF_TOKEN"), *legacy = hf_config_get(rt, "HUGGING_FACE_HUB_TOKEN");
  const char *path = hf_config_get(rt, "HF_TOKEN_PATH");
  return (token && *token) || (legacy && *legacy) || (path && !stat(path, &st) && st.st_size > 0);
}

static void platform(char *buf, size_t len) {
  struct utsname u;
  if (uname(&u))
    snprintf(buf, len, "unknown");
  else
    snprintf(buf, len, "%s-%s-%s", u.sysname, u.release, u.machine);
}

/* Beside the token file. */
static void stored_tokens(hf_runtime *rt, char *buf, size_t len) {
  const char *path = hf_config_get(rt, "HF_TOKEN_PATH");
  const char *slash = path ? strrchr(path, '/') : NULL;
  snprintf(buf, len, "%.*s/stored_tokens", slash ? (int)(slash - path) : 1, slash ? path : ".");
}

static const struct {
  const char *key;
  enum { PLAIN, FLAG, TRISTATE } kind;
} settings[] = {
    {"HF_HUB_OFFLINE", FLAG},
    {"HF_HUB_DISABLE_TELEMETRY", FLAG},
    {"HF_HUB_DISABLE_PROGRESS_BARS", TRISTATE},
    {"HF_HUB_DISABLE_SYMLINKS", FLAG},
    {"HF_HUB_DISABLE_SYMLINKS_WARNING", FLAG},
    {"HF_HUB_DISABLE_EXPERIMENTAL_WARNING", FLAG},
    {"HF_HUB_DISABLE_IMPLICIT_TOKEN", FLAG},
    {"HF_HUB_DISABLE_XET", FLAG},
    {"HF_HUB_DISABLE_SHARED_BLOBS", FLAG},
    {"HF_HUB_ETAG_TIMEOUT", PLAIN},
    {"HF_HUB_DOWNLOAD_TIMEOUT", PLAIN},
    {"HF_XET_HIGH_PERFORMANCE", FLAG},
};

struct origins {
  FILE *f;
};

static int write_origin(void *arg, const char *key, struct hf_setting s) {
  FILE *f = ((struct origins *)arg)->f;
  if (!s.value || !s.origin || !strcmp(s.origin, "default")) return 0;
  fprintf(f, "- libhf setting %s: %s (%s)\n", key, is_secret(key) ? "***" : s.value, s.origin);
  return 0;
}

hf_status cli_task_env(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  (void)args;
  hf_runtime *rt = hf_call_runtime(c);
  char *text = NULL, buf[4096];
  size_t len;
  FILE *f = open_memstream(&text, &len);
  if (!f) return cli_host->failf(c, HF_ENOMEM, "Out of memory.");
  fputs("\nCopy-and-paste the text below in your GitHub issue.\n\n", f);
  line(f, "huggingface_hub version", "2.4.0");
  platform(buf, sizeof buf);
  line(f, "Platform", buf);
  line(f, "Python version", "N/A");
  line(f, "Running in iPython ?", "No");
  line(f, "Running in notebook ?", "No");
  line(f, "Running in Google Colab ?", "No");
  line(f, "Running in Google Colab Enterprise ?", "No");
  line(f, "Token path ?", hf_config_get(rt, "HF_TOKEN_PATH"));
  line(f, "Has saved token ?", has_token(rt) ? "True" : "False");
  line(f, "Configured git credential helpers", "");
  line(f, "Run by AI agent ?", hf_hub_agent(rt) ? "Yes" : "No");
  line(f, "Installation method", "libhf");
  line(f, "httpx2", "N/A");
  line(f, "hf_xet", "N/A");
  line(f, "gradio", "N/A");
  line(f, "tensorboard", "N/A");
  line(f, "ENDPOINT", hf_config_get(rt, "HF_ENDPOINT"));
  line(f, "HF_HUB_CACHE", hf_config_get(rt, "HF_HUB_CACHE"));
  line(f, "HF_ASSETS_CACHE", hf_config_get(rt, "HF_ASSETS_CACHE"));
  line(f, "HF_TOKEN_PATH", hf_config_get(rt, "HF_TOKEN_PATH"));
  stored_tokens(rt, buf, sizeof buf);
  line(f, "HF_STORED_TOKENS_PATH", buf);
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
    const char *value = hf_config_get(rt, settings[i].key);
    if (settings[i].kind == FLAG || (settings[i].kind == TRISTATE && value))
      value = hf_config_flag(rt, settings[i].key) ? "True" : "False";
    line(f, settings[i].key, value);
  }
  line(f, "libhf version", hf_version());
  struct origins o = {f};
  hf_config_each(rt, write_origin, &o);
  fclose(f);
  if (!text) return cli_host->failf(c, HF_ENOMEM, "Out of memory.");
  hf_status st = cli_record_text(out, HF_OUT_RAW, text);
  free(text);
  return st;
}
