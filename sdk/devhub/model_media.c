/* model_media.c - pictures, sounds and videos made from a text: small, valid, and the same for the same text.
 * A picture is a PNG with stored blocks, a sound a WAV of a quarter of a second, a video an MP4 without a track.
 * They are served again under the hash of their text. */
#include "content.h"
#include "digest.h"
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void be32(struct text *t, uint32_t v) {
  dh_text_add(t, (char[]){(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v}, 4);
}

static void le(struct text *t, uint32_t v, size_t size) {
  for (size_t i = 0; i < size; i++) dh_text_add(t, (char[]){(char)(v >> (8 * i))}, 1);
}

static void chunk(struct text *png, const char *type, const struct text *data) {
  uint32_t crc = dh_crc32(dh_crc32(0, type, 4), data->data ? data->data : "", data->size);
  be32(png, (uint32_t)data->size);
  dh_text_add(png, type, 4);
  if (data->size) dh_text_add(png, data->data, data->size);
  be32(png, crc);
}

/* zlib's format without compression. */
static void stored(struct text *out, const struct text *raw) {
  enum { BLOCK = 65535 };
  uint32_t a = 1, b = 0;
  dh_text_add(out, "\x78\x01", 2);
  for (size_t at = 0; at < raw->size; at += BLOCK) {
    size_t n = raw->size - at < BLOCK ? raw->size - at : BLOCK;
    le(out, at + n == raw->size, 1);
    le(out, (uint32_t)n, 2);
    le(out, ~(uint32_t)n, 2);
    dh_text_add(out, raw->data + at, n);
  }
  for (size_t i = 0; i < raw->size; i++) {
    a = (a + (unsigned char)raw->data[i]) % 65521;
    b = (b + a) % 65521;
  }
  be32(out, b << 16 | a);
}

static uint64_t seed_of(const char *prompt) {
  char hex[65] = "";
  dh_sha256(prompt, strlen(prompt), hex);
  hex[16] = 0;
  return strtoull(hex, NULL, 16);
}

static void picture(struct text *out, uint64_t seed, unsigned width, unsigned height) {
  struct text head = {0}, raw = {0}, data = {0}, none = {0};
  unsigned char colour[6];
  for (size_t i = 0; i < sizeof colour; i++) colour[i] = (unsigned char)(seed >> (8 * i));
  be32(&head, width);
  be32(&head, height);
  dh_text_add(&head, "\x08\x02\0\0\0", 5);
  for (unsigned y = 0; y < height; y++) {
    dh_text_add(&raw, "", 1);
    for (unsigned x = 0; x < width; x++)
      for (size_t k = 0; k < 3; k++) {
        unsigned v = (colour[k] * (width - x) + colour[k + 3] * x) / width;
        dh_text_add(&raw, (char[]){(char)(v * (height - y / 2) / height)}, 1);
      }
  }
  if (!raw.failed) stored(&data, &raw);
  dh_text_add(out, "\x89PNG\r\n\x1a\n", 8);
  chunk(out, "IHDR", &head);
  chunk(out, "IDAT", &data);
  chunk(out, "IEND", &none);
  out->failed |= head.failed || raw.failed || data.failed;
  dh_text_free(&head);
  dh_text_free(&raw);
  dh_text_free(&data);
}

void dh_model_picture(struct text *out, const char *prompt, unsigned width, unsigned height) {
  picture(out, seed_of(prompt), width, height);
}

static void sound(struct text *out, uint64_t seed) {
  enum { RATE = 8000, SAMPLES = RATE / 4 };
  int period = 20 + (int)(seed % 40);
  dh_text_str(out, "RIFF");
  le(out, 36 + 2 * SAMPLES, 4);
  dh_text_str(out, "WAVEfmt ");
  le(out, 16, 4);
  le(out, 1, 2);
  le(out, 1, 2);
  le(out, RATE, 4);
  le(out, 2 * RATE, 4);
  le(out, 2, 2);
  le(out, 16, 2);
  dh_text_str(out, "data");
  le(out, 2 * SAMPLES, 4);
  for (int i = 0; i < SAMPLES; i++) le(out, (uint32_t)(abs(i % (2 * period) - period) * 16000 / period - 8000), 2);
}

void dh_model_sound(struct text *out, const char *prompt) {
  sound(out, seed_of(prompt));
}

static void video(struct text *out, uint64_t seed) {
  be32(out, 24);
  dh_text_str(out, "ftypisom");
  be32(out, 512);
  dh_text_str(out, "isommp41");
  be32(out, 16);
  dh_text_str(out, "free");
  be32(out, (uint32_t)(seed >> 32));
  be32(out, (uint32_t)seed);
}

void dh_model_video(struct text *out, const char *prompt) {
  video(out, seed_of(prompt));
}

void dh_model_media_url(const struct request *r, struct text *url, const char *suffix, const char *prompt) {
  dh_origin(r, url, ORIGIN_HUB);
  dh_text_addf(url, "/media/%016llx.%s", (unsigned long long)seed_of(prompt), suffix);
}

/* GET /media/{hash}.{suffix} */
void dh_model_media(struct request *r) {
  char *end;
  uint64_t seed = strtoull(r->name, &end, 16);
  struct text t = {0};
  if (end == r->name + 16 && strcmp(end, ".png") == 0) {
    picture(&t, seed, PICTURE_SIZE, PICTURE_SIZE);
    dh_reply_text(r, 200, "image/png", &t);
  } else if (end == r->name + 16 && strcmp(end, ".wav") == 0) {
    sound(&t, seed);
    dh_reply_text(r, 200, "audio/wav", &t);
  } else if (end == r->name + 16 && strcmp(end, ".mp4") == 0) {
    video(&t, seed);
    dh_reply_text(r, 200, "video/mp4", &t);
  } else {
    dh_reply_error(r, 404, NULL, "There is no such file.");
  }
}
