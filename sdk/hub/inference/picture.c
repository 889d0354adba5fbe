/* picture.c - a picture shown in the terminal: kitty's and iTerm's ways take the file, sixel takes pixels.
 * Which of them there is, the environment says; for sixel the terminal is asked, which answers at once or not at all.
 * What cannot be shown is not: the file is there in every case. */
#include <poll.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "output.h"
#include "png.h"

enum { SIXEL_SIDE = 800, ANSWER_MS = 300, STEPS = 6 };

static hf_status bytes(struct inf_output *o, const char *text, size_t len) {
  return hf_host()->record(o->out, HF_OUT_BYTES, text, len);
}

/* The terminal's description of itself holds attribute 4: "ESC [ ? 62 ; 4 ; 22 c". */
static bool speaks_sixel(void) {
  char answer[128];
  size_t n = 0;
  struct termios before, raw;
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 || tcgetattr(fd, &before)) {
    if (fd >= 0) close(fd);
    return false;
  }
  raw = before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  bool asked = !tcsetattr(fd, TCSANOW, &raw) && write(fd, "\033[c", 3) == 3;
  while (asked && n < sizeof answer - 1 && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, ANSWER_MS) > 0 &&
         read(fd, answer + n, 1) == 1 && answer[n++] != 'c')
    continue;
  answer[n] = 0;
  asked = !tcsetattr(fd, TCSANOW, &before) && n && answer[n - 1] == 'c';
  close(fd);
  return asked && (strstr(answer, ";4;") || strstr(answer, ";4c"));
}

static hf_status iterm(struct inf_output *o, const char *text, size_t len) {
  const char *head = hf_hub_text(o->c, "\033]1337;File=inline=1;size=%zu:", len);
  if (!head) return HF_ENOMEM;
  TRY(bytes(o, head, strlen(head)));
  TRY(bytes(o, text, strlen(text)));
  return bytes(o, "\a\n", 2);
}

static hf_status kitty(struct inf_output *o, const char *text) {
  size_t total = strlen(text);
  for (size_t at = 0; at < total; at += 4096) {
    size_t n = total - at < 4096 ? total - at : 4096;
    const char *head = hf_hub_text(o->c, "\033_G%sm=%d;", at ? "" : "a=T,f=100,", at + n < total);
    if (!head) return HF_ENOMEM;
    TRY(bytes(o, head, strlen(head)));
    TRY(bytes(o, text + at, n));
    TRY(bytes(o, "\033\\", 2));
  }
  return bytes(o, "\n", 1);
}

static unsigned step(uint8_t v) {
  return (v * (STEPS - 1) + 127) / 255;
}

/* Six rows of one colour at a time; a colour that a band lacks is left out. */
static hf_status band(struct inf_output *o, const uint8_t *index, uint32_t width, uint32_t rows) {
  char *line = malloc(width + 8);
  hf_status st = line ? HF_OK : HF_ENOMEM;
  for (unsigned colour = 0; st == HF_OK && colour < STEPS * STEPS * STEPS; colour++) {
    size_t last = 0;
    for (uint32_t x = 0; x < width; x++) {
      unsigned bits = 0;
      for (uint32_t y = 0; y < rows; y++)
        if (index[(size_t)y * width + x] == colour) bits |= 1u << y;
      line[x] = (char)(63 + bits);
      if (bits) last = x + 1;
    }
    if (!last) continue;
    const char *head = hf_hub_text(o->c, "#%u", colour);
    st = head ? bytes(o, head, strlen(head)) : HF_ENOMEM;
    line[last++] = '$';
    if (st == HF_OK) st = bytes(o, line, last);
  }
  free(line);
  return st == HF_OK ? bytes(o, "-", 1) : st;
}

static hf_status sixel(struct inf_output *o, const char *data, size_t len) {
  uint32_t w, h;
  uint8_t *pixels = inf_png_pixels(data, len, &w, &h);
  if (!pixels) return HF_OK;
  uint32_t by = ((w > h ? w : h) + SIXEL_SIDE - 1) / SIXEL_SIDE, width = w / by, height = h / by;
  uint8_t *index = malloc((size_t)width * height + 1);
  for (size_t i = 0; index && width && i < (size_t)width * height; i++) {
    const uint8_t *p = pixels + 3 * ((i / width * by) * w + i % width * by);
    index[i] = (uint8_t)((step(p[0]) * STEPS + step(p[1])) * STEPS + step(p[2]));
  }
  const char *head = hf_hub_text(o->c, "\033Pq\"1;1;%u;%u", width, height);
  hf_status st = index && head ? bytes(o, head, strlen(head)) : HF_ENOMEM;
  for (unsigned c = 0; st == HF_OK && c < STEPS * STEPS * STEPS; c++) {
    head = hf_hub_text(o->c, "#%u;2;%u;%u;%u", c, c / (STEPS * STEPS) * 20, c / STEPS % STEPS * 20, c % STEPS * 20);
    st = head ? bytes(o, head, strlen(head)) : HF_ENOMEM;
  }
  for (uint32_t y = 0; st == HF_OK && y < height; y += 6)
    st = band(o, index + (size_t)y * width, width, height - y < 6 ? height - y : 6);
  if (st == HF_OK) st = bytes(o, "\033\\\n", 3);
  free(index);
  free(pixels);
  return st;
}

hf_status inf_output_picture(struct inf_output *o, const char *type) {
  const char *term = getenv("TERM"), *program = getenv("TERM_PROGRAM"), *data;
  size_t len;
  bool in_kitty =
      getenv("KITTY_WINDOW_ID") || (term && strstr(term, "kitty")) || (program && !strcmp(program, "ghostty"));
  bool in_iterm = program && (!strcmp(program, "iTerm.app") || !strcmp(program, "WezTerm"));
  if (!isatty(STDOUT_FILENO) || !type || strncmp(type, "image/", 6) != 0) return HF_OK;
  bool png = !strcmp(type, "image/png");
  if (!in_iterm && (!png || (!in_kitty && !speaks_sixel()))) return HF_OK;
  TRY(inf_read(o->c, o->path, &data, &len));
  if (!in_iterm && !in_kitty) return sixel(o, data, len);
  char *text = inf_base64(data, len);
  if (!text) return HF_OK;
  hf_status st = in_iterm ? iterm(o, text, len) : kitty(o, text);
  free(text);
  return st;
}
