/* The error of a call: one slot that is written once, without allocating, from whichever thread fails first.
 * Texts are cut at a character's edge and secrets are taken out, whatever the caller put in.
 * Codes have their names here, and the operating system's error numbers their codes and words. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "core.h"

static const struct {
  hf_status code;
  const char *name, *words; /* words: the message of a failure that nobody described */
} codes[] = {
    {HF_OK, "HF_OK", "It worked."},
    {HF_PENDING, "HF_PENDING", "The result comes later."},
    {HF_EINTERNAL, "HF_EINTERNAL", "Something went wrong inside; please report this."},
    {HF_ENOMEM, "HF_ENOMEM", "Out of memory; close other programs or ask for less at once."},
    {HF_EINVAL, "HF_EINVAL", "An argument cannot be used; check what was asked for."},
    {HF_ENOSYS, "HF_ENOSYS", "This plugin cannot do that; choose another one."},
    {HF_ECANCELED, "HF_ECANCELED", "Canceled."},
    {HF_ETIMEDOUT, "HF_ETIMEDOUT", "It took longer than was allowed; try again or allow more time."},
    {HF_EIO, "HF_EIO", "A local file or device failed; check the disk."},
    {HF_ENOTFOUND, "HF_ENOTFOUND", "It is not there; check the name."},
    {HF_EEXISTS, "HF_EEXISTS", "It is there already; choose another name."},
    {HF_EAUTH, "HF_EAUTH", "Access was refused; check your token."},
    {HF_EGATED, "HF_EGATED", "Access must be requested first."},
    {HF_ERATELIMIT, "HF_ERATELIMIT", "The server asks for patience; try again later."},
    {HF_EHTTP, "HF_EHTTP", "The server answered with an error; try again later."},
    {HF_EDIGEST, "HF_EDIGEST", "The bytes are not what was promised; try again."},
    {HF_EOFFLINE, "HF_EOFFLINE", "The network may not be used; leave offline mode to try."},
    {HF_EABI, "HF_EABI", "A plugin broke a rule of its interface; run hf-plugin-check on it."},
    {HF_ECONFLICT, "HF_ECONFLICT", "Somebody else changed it meanwhile; try again."},
    {HF_ENET, "HF_ENET", "The connection failed; check the network."},
    {HF_EPROTO, "HF_EPROTO", "The server sent what its protocol does not allow; try again later."},
    {HF_ENOSPACE, "HF_ENOSPACE", "The disk, its quota or its inodes are used up; free some space."},
    {HF_EPERM, "HF_EPERM", "The operating system refused access; check the permissions."},
};

const char *hf_status_name(hf_status code) {
  for (size_t i = 0; i < HF_COUNT(codes); i++)
    if (codes[i].code == code) return codes[i].name;
  return "HF_EINTERNAL";
}

static const char *words_of(hf_status code) {
  for (size_t i = 0; i < HF_COUNT(codes); i++)
    if (codes[i].code == code) return codes[i].words;
  return words_of(HF_EINTERNAL);
}

static const struct {
  int err;
  hf_status code;
  const char *words;
} numbers[] = {
    {ENOSPC, HF_ENOSPACE, "no space or no inodes left on the disk"},
    {EDQUOT, HF_ENOSPACE, "the disk quota is used up"},
    {EFBIG, HF_ENOSPACE, "larger than the disk or its limits allow a file to be"},
    {EACCES, HF_EPERM, "permission denied"},
    {EPERM, HF_EPERM, "operation not permitted"},
    {EROFS, HF_EPERM, "read-only file system"},
    {ENOENT, HF_ENOTFOUND, "no such file or directory"},
    {EEXIST, HF_EEXISTS, "it exists already"},
    {ENOMEM, HF_ENOMEM, "out of memory"},
    {EIO, HF_EIO, "input/output error"},
    {ENOTDIR, HF_EIO, "not a directory"},
    {EISDIR, HF_EIO, "is a directory"},
    {ENOTEMPTY, HF_EIO, "the directory is not empty"},
    {ENAMETOOLONG, HF_EIO, "the name is too long"},
    {ELOOP, HF_EIO, "too many symbolic links"},
    {EMLINK, HF_EIO, "too many links"},
    {EMFILE, HF_EIO, "too many open files"},
    {ENFILE, HF_EIO, "too many open files in the system"},
    {EXDEV, HF_EIO, "not on the same file system"},
    {EBUSY, HF_EIO, "in use"},
    {ETXTBSY, HF_EIO, "in use as a program"},
    {ENODEV, HF_EIO, "no such device"},
    {ENXIO, HF_EIO, "no such device or address"},
    {ESTALE, HF_EIO, "the file's server no longer knows it"},
    {EPIPE, HF_EIO, "nobody reads the other end"},
    {EAGAIN, HF_EIO, "temporarily unavailable"},
    {EINVAL, HF_EIO, "not supported there"},
    {EOPNOTSUPP, HF_EIO, "not supported there"},
    {ENOSYS, HF_EIO, "not supported by the system"},
};

hf_status hf_code_of_errno(int err) {
  for (size_t i = 0; i < HF_COUNT(numbers); i++)
    if (numbers[i].err == err) return numbers[i].code;
  return HF_EIO;
}

/* Bytes of text[0..len) without a character cut in half at the end. */
static size_t whole_characters(const char *text, size_t len) {
  size_t back = 0;
  while (back < 3 && back < len && ((unsigned char)text[len - 1 - back] & 0xc0) == 0x80) back++;
  if (back == len) return len;
  unsigned char lead = (unsigned char)text[len - 1 - back];
  size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return want > back + 1 ? len - 1 - back : len;
}

static const char *copy_text(char *to, size_t room, const char *from) {
  if (!from) return NULL;
  size_t len = strnlen(from, room);
  if (len == room) len = whole_characters(from, room - 1);
  memmove(to, from, len);
  to[len] = 0;
  hf_text_redact(to);
  return to;
}

static bool claim(struct hf_error_slot *slot) {
  int empty = 0;
  return atomic_compare_exchange_strong(&slot->state, &empty, 1);
}

static void publish(struct hf_error_slot *slot) {
  slot->e.struct_size = sizeof slot->e;
  atomic_store_explicit(&slot->state, 2, memory_order_release);
}

hf_status hf_call_fail(hf_call *call, const struct hf_error *error) {
  struct hf_error e = {0};
  size_t size = error->struct_size < sizeof e ? error->struct_size : sizeof e;
  memcpy(&e, error, size);
  if (e.code >= 0) e.code = HF_EINTERNAL;
  struct hf_error_slot *slot = call->error;
  if (!claim(slot)) return e.code;
  e.cls = copy_text(slot->cls, sizeof slot->cls, e.cls);
  e.message = copy_text(slot->message, sizeof slot->message, e.message ? e.message : words_of(e.code));
  e.request_id = copy_text(slot->request_id, sizeof slot->request_id, e.request_id);
  e.url = copy_text(slot->url, sizeof slot->url, e.url);
  slot->e = e;
  publish(slot);
  return e.code;
}

/* A message of any length into the slot. */
static void format_message(struct hf_error_slot *slot, const char *format, va_list args) HF_PRINTF(2, 0);
static void format_message(struct hf_error_slot *slot, const char *format, va_list args) {
  int n = vsnprintf(slot->message, sizeof slot->message, format, args);
  if (n < 0) slot->message[0] = 0;
  if (n >= (int)sizeof slot->message) slot->message[whole_characters(slot->message, sizeof slot->message - 1)] = 0;
}

hf_status hf_call_failf(hf_call *call, hf_status code, const char *format, ...) {
  if (code >= 0) code = HF_EINTERNAL;
  struct hf_error_slot *slot = call->error;
  if (!claim(slot)) return code;
  va_list args;
  va_start(args, format);
  format_message(slot, format, args);
  va_end(args);
  hf_text_redact(slot->message);
  slot->e = (struct hf_error){.code = code, .message = slot->message};
  publish(slot);
  return code;
}

hf_status hf_fail_errno(hf_call *call, int err, const char *format, ...) {
  hf_status code = hf_code_of_errno(err);
  struct hf_error_slot *slot = call->error;
  if (!claim(slot)) return code;
  va_list args;
  va_start(args, format);
  format_message(slot, format, args);
  va_end(args);
  const char *words = NULL;
  for (size_t i = 0; i < HF_COUNT(numbers) && !words; i++)
    if (numbers[i].err == err) words = numbers[i].words;
  char why[96];
  if (words)
    snprintf(why, sizeof why, ": %s", words);
  else
    snprintf(why, sizeof why, ": system error %d", err);
  size_t len = strlen(slot->message), more = strlen(why);
  if (len > sizeof slot->message - 1 - more) len = whole_characters(slot->message, sizeof slot->message - 1 - more);
  memcpy(slot->message + len, why, more + 1);
  hf_text_redact(slot->message);
  slot->e = (struct hf_error){.code = code, .message = slot->message, .sys_errno = err};
  publish(slot);
  return code;
}

const struct hf_error *hf_call_error(hf_call *call) {
  return atomic_load_explicit(&call->error->state, memory_order_acquire) == 2 ? &call->error->e : NULL;
}

void hf_call_clear(hf_call *call) {
  int set = 2;
  atomic_compare_exchange_strong(&call->error->state, &set, 0);
}
