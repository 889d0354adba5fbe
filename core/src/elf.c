/* elf.c - what a shared object says about itself, read with pread: never mapped, so a file that shrinks under us is a
 * short read and not a signal. Every offset is checked against the size that fstat gave.
 * Refuses what cannot be a plugin, and what would run code before load(): constructors, resolvers, foreign search paths. */
#include "registry.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { PHDR_MAX = 64, DYN_MAX = 1024, SYM_MAX = 1 << 16, STR_MAX = 4 << 20, REL_MAX = 1 << 20, NOTE_MAX = 1 << 16 };

#if defined(__x86_64__)
enum { OWN_MACHINE = EM_X86_64, OWN_IRELATIVE = R_X86_64_IRELATIVE };
#elif defined(__i386__)
enum { OWN_MACHINE = EM_386, OWN_IRELATIVE = R_386_IRELATIVE };
#elif defined(__aarch64__)
enum { OWN_MACHINE = EM_AARCH64, OWN_IRELATIVE = R_AARCH64_IRELATIVE };
#elif defined(__arm__)
enum { OWN_MACHINE = EM_ARM, OWN_IRELATIVE = R_ARM_IRELATIVE };
#elif defined(__riscv)
enum { OWN_MACHINE = EM_RISCV, OWN_IRELATIVE = 58 };
#elif defined(__powerpc64__)
enum { OWN_MACHINE = EM_PPC64, OWN_IRELATIVE = R_PPC64_IRELATIVE };
#elif defined(__s390x__)
enum { OWN_MACHINE = EM_S390, OWN_IRELATIVE = R_390_IRELATIVE };
#else
enum { OWN_MACHINE = EM_NONE, OWN_IRELATIVE = 0 };
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { OWN_DATA = ELFDATA2LSB };
#else
enum { OWN_DATA = ELFDATA2MSB };
#endif
enum { OWN_CLASS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32 };
#ifdef HF_SANITIZED
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* The native relocation entry's type; the macros differ by class only. */
#if __SIZEOF_POINTER__ == 8
#define REL_TYPE(info) ELF64_R_TYPE(info)
#else
#define REL_TYPE(info) ELF32_R_TYPE(info)
#endif

struct image {
  int fd;
  uint64_t size;
  ElfW(Phdr) ph[PHDR_MAX];
  uint32_t phnum;
  ElfW(Addr) tag[DT_NUM]; /* value of each low dynamic tag, the last one as the loader sees it */
  bool has[DT_NUM];
  uint64_t gnu_hash, flags_1;
  uint64_t needed[128];
  uint32_t needed_count;
  struct hf_facts *facts;
  bool resolves; /* a visible symbol is an IFUNC */
};

/* Dynamic tags that no plugin needs. */
static const struct {
  int64_t tag;
  const char *why;
} refused_tags[] = {
    {DT_RPATH, "carries a library search path (DT_RPATH): link without -rpath"},
    {DT_PREINIT_ARRAY, "has pre-initialisers: a plugin runs no code before load()"},
    {DT_TEXTREL, "was not compiled with -fPIC (text relocations)"},
    {DT_AUDIT, "names an audit library"},
    {DT_DEPAUDIT, "names an audit library"},
    {DT_FILTER, "is a filter library"},
    {DT_AUXILIARY, "is a filter library"},
};

/* Symbols that some linkers export from every shared object. */
static const char *const tool_symbols[] = {"_init", "_fini", "_edata", "_end", "__bss_start"};

bool hf_name_legal(const char *s) {
  size_t n = 0;
  for (; s[n]; n++) {
    bool word = (s[n] >= 'a' && s[n] <= 'z') || (s[n] >= '0' && s[n] <= '9');
    if (n > 30 || !(word || (n && s[n] == '-'))) return false;
  }
  return n > 0;
}

static bool get(const struct image *im, uint64_t off, void *buf, size_t len) {
  if (off > im->size || len > im->size - off) return false;
  for (size_t done = 0; done < len;) {
    ssize_t n = pread(im->fd, (char *)buf + done, len - done, (off_t)(off + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

/* Where the loader will find len bytes of this address in the file. */
static bool place(const struct image *im, uint64_t addr, uint64_t len, uint64_t *off) {
  for (uint32_t i = 0; i < im->phnum; i++) {
    const ElfW(Phdr) *p = &im->ph[i];
    if (p->p_type != PT_LOAD || addr < p->p_vaddr) continue;
    uint64_t at = addr - p->p_vaddr;
    if (at <= p->p_filesz && len <= p->p_filesz - at) {
      *off = p->p_offset + at;
      return true;
    }
  }
  return false;
}

static bool get_addr(const struct image *im, uint64_t addr, void *buf, size_t len) {
  uint64_t off;
  return place(im, addr, len, &off) && get(im, off, buf, len);
}

/* A block of the image in memory, freed by the caller; NULL with a reason. */
static void *get_block(const struct image *im, uint64_t addr, uint64_t len, const char *what) {
  uint64_t off;
  if (!place(im, addr, len, &off)) {
    hf_refuse(im->facts->why, "is damaged: its %s lies outside of the file", what);
    return NULL;
  }
  void *p = hf_mem_alloc(len ? len : 1);
  if (!p) {
    hf_refuse(im->facts->why, "could not be read: out of memory");
  } else if (!get(im, off, p, len)) {
    hf_mem_free(p);
    p = NULL;
    hf_refuse(im->facts->why, "could not be read: its %s ends early", what);
  }
  return p;
}

static bool read_header(struct image *im, ElfW(Ehdr) * eh) {
  char *why = im->facts->why;
  unsigned char id[EI_NIDENT];
  if (!get(im, 0, id, sizeof id) || memcmp(id, ELFMAG, SELFMAG) != 0) return hf_refuse(why, "is not a shared object");
  if (id[EI_CLASS] != OWN_CLASS)
    return hf_refuse(why, "is built for %s-bit programs", id[EI_CLASS] == ELFCLASS64 ? "64" : "32");
  if (id[EI_DATA] != OWN_DATA) return hf_refuse(why, "is built for the other byte order");
  if (id[EI_VERSION] != EV_CURRENT || (id[EI_OSABI] != ELFOSABI_SYSV && id[EI_OSABI] != ELFOSABI_GNU))
    return hf_refuse(why, "is built for another system (OS ABI %u)", id[EI_OSABI]);
  if (!get(im, 0, eh, sizeof *eh)) return hf_refuse(why, "is truncated in its header");
  if (OWN_MACHINE != EM_NONE && eh->e_machine != OWN_MACHINE)
    return hf_refuse(why, "is built for another processor (machine %u)", eh->e_machine);
  if (eh->e_type != ET_DYN) return hf_refuse(why, "is not a shared object (ELF type %u)", eh->e_type);
  if (eh->e_phentsize != sizeof(ElfW(Phdr)) || !eh->e_phnum || eh->e_phnum > PHDR_MAX)
    return hf_refuse(why, "is damaged: absurd program headers");
  im->phnum = eh->e_phnum;
  if (!get(im, eh->e_phoff, im->ph, sizeof(ElfW(Phdr)) * im->phnum))
    return hf_refuse(why, "is truncated in its program headers");
  uint64_t sections = (uint64_t)eh->e_shnum * eh->e_shentsize;
  if (eh->e_shoff && (eh->e_shoff > im->size || sections > im->size - eh->e_shoff))
    return hf_refuse(why, "is truncated: its section headers lie behind its end");
  return true;
}

static bool read_segments(struct image *im, const ElfW(Phdr) * *dynamic) {
  char *why = im->facts->why;
  uint64_t last = 0;
  *dynamic = NULL;
  for (uint32_t i = 0; i < im->phnum; i++) {
    const ElfW(Phdr) *p = &im->ph[i];
    if (p->p_type == PT_GNU_STACK && (p->p_flags & PF_X)) return hf_refuse(why, "asks for an executable stack");
    if (p->p_type == PT_INTERP) return hf_refuse(why, "is a program, not a plugin");
    if (p->p_type != PT_LOAD && p->p_type != PT_DYNAMIC && p->p_type != PT_NOTE) continue;
    if (p->p_offset > im->size || p->p_filesz > im->size - p->p_offset)
      return hf_refuse(why, "is truncated: segment %u ends behind the end of the file", i);
    if (p->p_type == PT_DYNAMIC) *dynamic = p;
    if (p->p_type != PT_LOAD) continue;
    if (p->p_filesz > p->p_memsz || p->p_memsz > UINT64_C(1) << 32 || p->p_vaddr > UINTPTR_MAX - p->p_memsz ||
        p->p_vaddr < last || (p->p_vaddr - p->p_offset) % 4096)
      return hf_refuse(why, "is damaged: absurd segment %u", i);
    last = p->p_vaddr + p->p_memsz;
  }
  if (!last) return hf_refuse(why, "is damaged: nothing to load");
  return *dynamic ? true : hf_refuse(why, "is not a shared object: no dynamic segment");
}

/* ---- the note ---- */

static bool ends(const char *s, size_t n) {
  return memchr(s, 0, n) != NULL;
}

static bool take_note(struct hf_facts *f, const uint8_t *d, uint32_t len) {
  struct hf_note_head h;
  if (f->count) return hf_refuse(f->why, "has two plugin notes");
  if (len < sizeof h) return hf_refuse(f->why, "has a plugin note that is too short");
  memcpy(&h, d, sizeof h);
  if (!ends(h.plugin, sizeof h.plugin) || !hf_name_legal(h.plugin) || !ends(h.version, sizeof h.version))
    return hf_refuse(f->why, "has a plugin note with an illegal name");
  f->abi_major = h.abi_major, f->abi_minor = h.abi_minor;
  memcpy(f->plugin, h.plugin, sizeof f->plugin);
  memcpy(f->version, h.version, sizeof f->version);
  if (h.abi_major != HF_ABI_MAJOR)
    return hf_refuse(f->why, "speaks plugin ABI %u, this is %u: rebuild it with the headers of this version",
                     h.abi_major, HF_ABI_MAJOR);
  if (h.abi_print != HF_ABI_PRINT) return hf_refuse(f->why, "is built for another data model (%08x)", h.abi_print);
  if (!h.row_count || h.row_count > HF_MODULES_MAX || h.row_size < sizeof(struct hf_note_module) ||
      h.row_size > HF_ROW_MAX || (uint64_t)h.row_size * h.row_count != len - sizeof h)
    return hf_refuse(f->why, "has a plugin note of absurd size");
  for (uint32_t i = 0; i < h.row_count; i++) {
    struct hf_note_module *m = &f->modules[i];
    memcpy(m, d + sizeof h + (size_t)i * h.row_size, sizeof *m);
    if (!ends(m->name, sizeof m->name) || !ends(m->commands, sizeof m->commands) || !hf_name_legal(m->name))
      return hf_refuse(f->why, "has a plugin note with an illegal module name");
    for (const char *c = m->commands; *c; c++)
      if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_ ", *c))
        return hf_refuse(f->why, "has a plugin note with an illegal command name");
    if (!hf_kind_word(m->kind)) return hf_refuse(f->why, "has a module of unknown kind %u", m->kind);
    for (uint32_t j = 0; j < i; j++)
      if (f->modules[j].kind == m->kind && strcmp(f->modules[j].name, m->name) == 0)
        return hf_refuse(f->why, "has two modules %s of one kind", m->name);
  }
  f->count = h.row_count;
  return true;
}

static bool scan_notes(struct hf_facts *f, const uint8_t *d, size_t len, size_t align) {
  for (size_t at = 0; len - at >= 12;) {
    uint32_t h[3];
    memcpy(h, d + at, sizeof h);
    size_t name = at + 12;
    if (h[0] > len - name) return hf_refuse(f->why, "is damaged: a note ends behind its segment");
    size_t desc = name + ((h[0] + align - 1) & ~(align - 1));
    if (desc > len || h[1] > len - desc) return hf_refuse(f->why, "is damaged: a note ends behind its segment");
    if (h[0] == sizeof HF_NOTE_OWNER && memcmp(d + name, HF_NOTE_OWNER, sizeof HF_NOTE_OWNER) == 0 &&
        h[2] == HF_NOTE_TYPE && !take_note(f, d + desc, h[1]))
      return false;
    size_t next = desc + ((h[1] + align - 1) & ~(align - 1));
    if (next > len) break;
    at = next;
  }
  return true;
}

static bool read_notes(struct image *im) {
  char *why = im->facts->why;
  for (uint32_t i = 0; i < im->phnum; i++) {
    const ElfW(Phdr) *p = &im->ph[i];
    if (p->p_type != PT_NOTE || !p->p_filesz) continue;
    if (p->p_filesz > NOTE_MAX) return hf_refuse(why, "has an absurdly large note");
    uint8_t *d = hf_mem_alloc(p->p_filesz);
    if (!d) return hf_refuse(why, "could not be read: out of memory");
    bool ok = get(im, p->p_offset, d, p->p_filesz) ? scan_notes(im->facts, d, p->p_filesz, p->p_align == 8 ? 8 : 4)
                                                   : hf_refuse(why, "is truncated in a note");
    hf_mem_free(d);
    if (!ok) return false;
  }
  return im->facts->count ? true : hf_refuse(why, "is no plugin of this library: it has no plugin note");
}

/* ---- the dynamic segment ---- */

static bool read_dynamic(struct image *im, const ElfW(Phdr) * seg) {
  char *why = im->facts->why;
  uint64_t off;
  size_t n = seg->p_filesz / sizeof(ElfW(Dyn));
  if (!n || n > DYN_MAX || !place(im, seg->p_vaddr, seg->p_filesz, &off) || off != seg->p_offset)
    return hf_refuse(why, "is damaged: absurd dynamic segment");
  ElfW(Dyn) *d = hf_mem_alloc(n * sizeof *d);
  if (!d) return hf_refuse(why, "could not be read: out of memory");
  bool ok = get(im, off, d, n * sizeof *d) ? true : hf_refuse(why, "is truncated in its dynamic segment");
  bool ended = false;
  for (size_t i = 0; ok && i < n && !ended; i++) {
    int64_t tag = d[i].d_tag;
    for (size_t r = 0; ok && r < HF_COUNT(refused_tags); r++)
      if (refused_tags[r].tag == tag) ok = hf_refuse(why, "%s", refused_tags[r].why);
    if (tag >= 0 && tag < DT_NUM) im->tag[tag] = d[i].d_un.d_val, im->has[tag] = true;
    if (tag == DT_GNU_HASH) im->gnu_hash = d[i].d_un.d_ptr;
    if (tag == DT_FLAGS_1) im->flags_1 = d[i].d_un.d_val;
    if (tag == DT_NEEDED && im->needed_count < HF_COUNT(im->needed)) im->needed[im->needed_count++] = d[i].d_un.d_val;
    ended = tag == DT_NULL;
  }
  hf_mem_free(d);
  if (!ok) return false;
  if (!ended) return hf_refuse(why, "is damaged: its dynamic segment has no end");
  if (im->flags_1 & UINT64_C(0x08000000)) return hf_refuse(why, "is a program, not a plugin");
  if (im->has[DT_FLAGS] && (im->tag[DT_FLAGS] & DF_TEXTREL))
    return hf_refuse(why, "was not compiled with -fPIC (text relocations)");
  return true;
}

/* ---- what runs before load(): the tool chain's own start code, known by its bytes where we know them ---- */

#if defined(__x86_64__)
/* Two hexadecimal digits a byte; "??" any; "[..]" may be missing. */
static bool looks_like(const struct image *im, uint64_t addr, const char *pattern, uint64_t *next) {
  for (const char *p = pattern; *p;) {
    unsigned char byte = 0;
    if (*p == '[') {
      const char *end = strchr(p, ']');
      char part[64];
      uint64_t after;
      snprintf(part, sizeof part, "%.*s", (int)(end - p - 1), p + 1);
      if (looks_like(im, addr, part, &after)) addr = after;
      p = end + 1;
      continue;
    }
    if (!get_addr(im, addr++, &byte, 1)) return false;
    char hex[3];
    snprintf(hex, sizeof hex, "%02x", byte);
    if (*p != '?' && (p[0] != hex[0] || p[1] != hex[1])) return false;
    p += 2;
  }
  *next = addr;
  return true;
}

static bool known_init(const struct image *im, uint64_t addr) {
  uint64_t end;
  return looks_like(im, addr, "[f30f1efa]4883ec08488b05????????4885c07402ffd04883c408c3", &end) ||
         looks_like(im, addr, "5058c3", &end);
}

/* frame_dummy: a jump to register_tm_clones, which calls nothing that is there. */
static bool known_constructor(const struct image *im, uint64_t addr) {
  static const char *const bodies[] = {
      "488d3d????????488d35????????4829fe4889f048c1ee3f48c1f8034801c648d1fe74??488b05????????4885c074??ffe0",
      "488d3d????????488d35????????554829fe4889e548c1fe034889f048c1e83f4801c648d1fe74??488b05????????4885c074??5dffe0"};
  uint64_t end;
  int32_t by;
  if (!looks_like(im, addr, "[f30f1efa][554889e55d]e9????????", &end) || !get_addr(im, end - 4, &by, 4)) return false;
  for (size_t i = 0; i < HF_COUNT(bodies); i++) {
    uint64_t after;
    if (looks_like(im, end + (uint64_t)(int64_t)by, bodies[i], &after)) return true;
  }
  return false;
}

/* What the loader will find at this address of the file: a relocation's, else the file's own. 0: something else. */
static uint64_t pointer_at(const struct image *im, uint64_t addr) {
  ElfW(Rela) r;
  uint64_t value = 0, len = im->has[DT_RELA] ? im->tag[DT_RELASZ] : 0;
  for (uint64_t at = 0; at + sizeof r <= len && at / sizeof r < REL_MAX; at += sizeof r)
    if (get_addr(im, im->tag[DT_RELA] + at, &r, sizeof r) && r.r_offset < addr + sizeof addr &&
        r.r_offset + sizeof addr > addr)
      return r.r_offset == addr && REL_TYPE(r.r_info) == R_X86_64_RELATIVE ? (uint64_t)r.r_addend : 0;
  return get_addr(im, addr, &value, sizeof value) ? value : 0;
}
#else
static bool known_init(const struct image *im, uint64_t addr) {
  return im && addr;
}
static bool known_constructor(const struct image *im, uint64_t addr) {
  return im && addr;
}
static uint64_t pointer_at(const struct image *im, uint64_t addr) {
  return im ? addr : 0;
}
#endif

/* The tool chain adds one constructor and one destructor of its own; a second one is the author's. */
static bool check_arrays(struct image *im, const ElfW(Ehdr) * eh) {
  char *why = im->facts->why;
  if (SANITIZED) return true;
  if (im->has[DT_INIT_ARRAYSZ] && im->tag[DT_INIT_ARRAYSZ] > sizeof(void *))
    return hf_refuse(why, "has a constructor: a plugin runs no code before load()");
  if (im->has[DT_FINI_ARRAYSZ] && im->tag[DT_FINI_ARRAYSZ] > sizeof(void *))
    return hf_refuse(why, "has a destructor: a plugin cleans up in unload()");
  if (im->has[DT_INIT_ARRAYSZ] && im->tag[DT_INIT_ARRAYSZ] &&
      (im->tag[DT_INIT_ARRAYSZ] != sizeof(void *) || !im->has[DT_INIT_ARRAY] ||
       !known_constructor(im, pointer_at(im, im->tag[DT_INIT_ARRAY]))))
    return hf_refuse(why, "has a constructor that is not the compiler's own: a plugin runs no code before load()");
  if (!im->has[DT_INIT]) return true;
  if (!known_init(im, im->tag[DT_INIT]))
    return hf_refuse(why, "has an initialiser of its own: a plugin runs no code before load()");
  if (!eh->e_shoff || eh->e_shentsize != sizeof(ElfW(Shdr)))
    return hf_refuse(why, "has an initialiser and no section headers: link it as usual, and do not strip those");
  for (uint32_t i = 0; i < eh->e_shnum; i++) { /* .init begins with what the tool chain put there */
    ElfW(Shdr) s;
    if (!get(im, eh->e_shoff + (uint64_t)i * sizeof s, &s, sizeof s)) return hf_refuse(why, "is truncated");
    if (s.sh_addr == im->tag[DT_INIT] && s.sh_type == SHT_PROGBITS && s.sh_size <= 64) return true;
  }
  return hf_refuse(why, "has an initialiser of its own: a plugin runs no code before load()");
}

static const char *string_at(const struct image *im, const char *strings, uint64_t at) {
  return at < im->tag[DT_STRSZ] ? strings + at : "";
}

static bool check_needed(struct image *im, const char *strings) {
  char *why = im->facts->why;
  for (uint32_t i = 0; i < im->needed_count; i++) {
    const char *name = string_at(im, strings, im->needed[i]);
    if (strncmp(name, "libhf.so", 8) == 0)
      return hf_refuse(why, "links libhf: a plugin links nothing of ours, the host table has everything");
    if (strchr(name, '/')) return hf_refuse(why, "needs the library %s by path", name);
  }
  if (!im->has[DT_RUNPATH]) return true;
  char path[1024], real[4096], reason[HF_WHY_MAX];
  const char *list = string_at(im, strings, im->tag[DT_RUNPATH]);
  while (*list) {
    size_t n = strcspn(list, ":");
    if (n >= sizeof path || *list != '/')
      return hf_refuse(why, "looks for libraries in a relative folder (DT_RUNPATH): link without -rpath");
    memcpy(path, list, n);
    path[n] = 0;
    im->facts->passing = !hf_path_trusted(path, real, reason);
    if (im->facts->passing)
      return hf_refuse(why, "looks for libraries in a folder others may write (DT_RUNPATH): %.200s", reason);
    list += n + (list[n] == ':');
  }
  return true;
}

/* Symbols in the dynamic table, as many as its hash table covers. */
static bool count_symbols(struct image *im, uint64_t *count) {
  char *why = im->facts->why;
  uint32_t h[4];
  *count = 0;
  if (im->has[DT_HASH]) {
    if (!get_addr(im, im->tag[DT_HASH], h, 8)) return hf_refuse(why, "is damaged: absurd hash table");
    *count = h[1];
  }
  if (im->gnu_hash) {
    if (!get_addr(im, im->gnu_hash, h, 16) || !h[0] || h[0] > SYM_MAX || h[1] > SYM_MAX || h[2] > SYM_MAX)
      return hf_refuse(why, "is damaged: absurd hash table");
    uint64_t buckets = im->gnu_hash + 16 + (uint64_t)h[2] * sizeof(ElfW(Addr)), chains = buckets + (uint64_t)h[0] * 4;
    uint32_t *b = get_block(im, buckets, (uint64_t)h[0] * 4, "hash table");
    if (!b) return false;
    uint64_t last = 0;
    for (uint32_t i = 0; i < h[0]; i++)
      if (b[i] > last) last = b[i];
    hf_mem_free(b);
    uint64_t n = h[1];
    for (uint32_t link = 0; last >= h[1] && !(link & 1); last++, n = last)
      if (last > SYM_MAX || !get_addr(im, chains + (last - h[1]) * 4, &link, 4))
        return hf_refuse(why, "is damaged: absurd hash table");
    if (n > *count) *count = n;
  }
  return *count && *count <= SYM_MAX ? true : hf_refuse(why, "is damaged: absurd symbol table");
}

static bool tolerated(const char *name, const ElfW(Sym) * s) {
  for (size_t i = 0; i < HF_COUNT(tool_symbols); i++)
    if (strcmp(name, tool_symbols[i]) == 0) return true;
  if (s->st_shndx == SHN_ABS && s->st_size == 0) return true; /* a version node */
  return SANITIZED && strncmp(name, "__", 2) == 0;
}

static bool check_symbols(struct image *im, const ElfW(Sym) * sym, uint64_t n, const char *strings) {
  char *why = im->facts->why;
  bool found = false;
  for (uint64_t i = 1; i < n; i++) {
    const char *name = string_at(im, strings, sym[i].st_name);
    unsigned type = sym[i].st_info & 15, binding = sym[i].st_info >> 4, seen = sym[i].st_other & 3;
    if (sym[i].st_shndx == SHN_UNDEF) {
      if (strncmp(name, "hf_", 3) == 0 && binding != STB_WEAK)
        return hf_refuse(why, "needs %.80s: a plugin links nothing of ours, the host table has everything", name);
      continue;
    }
    if (binding == STB_LOCAL || seen == STV_HIDDEN || seen == STV_INTERNAL || tolerated(name, &sym[i])) continue;
    if (type == STT_GNU_IFUNC) { /* as clang leaves a static one: the rule about resolvers speaks of it */
      im->resolves = true;
      continue;
    }
    if (strcmp(name, "hf_plugin_v1") != 0)
      return hf_refuse(why, "exports %.80s: compile with -fvisibility=hidden so that only hf_plugin_v1 is visible",
                       name);
    uint64_t off;
    if (type != STT_OBJECT || found || sym[i].st_size < offsetof(struct hf_plugin, load) ||
        !place(im, sym[i].st_value, offsetof(struct hf_plugin, load), &off))
      return hf_refuse(why, "has an hf_plugin_v1 that is no descriptor: use HF_PLUGIN()");
    found = true;
  }
  return found ? true : hf_refuse(why, "exports no hf_plugin_v1: use HF_PLUGIN(), or it is built for another ABI");
}

/* Resolvers that would run while the file is being loaded. */
static bool check_relocations(struct image *im) {
  char *why = im->facts->why;
  if (im->resolves) return hf_refuse(why, "resolves functions while it is loaded (IFUNC)");
  const struct {
    int tag, size;
    bool addend;
  } tables[] = {
      {DT_RELA, DT_RELASZ, true}, {DT_REL, DT_RELSZ, false}, {DT_JMPREL, DT_PLTRELSZ, im->tag[DT_PLTREL] == DT_RELA}};
  for (size_t t = 0; t < HF_COUNT(tables); t++) {
    if (!im->has[tables[t].tag] || !im->tag[tables[t].size]) continue;
    size_t entry = tables[t].addend ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
    uint64_t len = im->tag[tables[t].size];
    if (len / entry > REL_MAX) return hf_refuse(why, "is damaged: absurd relocations");
    uint8_t *rows = get_block(im, im->tag[tables[t].tag], len, "relocation table");
    if (!rows) return false;
    bool ok = true;
    for (uint64_t at = 0; ok && OWN_IRELATIVE != 0 && at + entry <= len; at += entry) {
      ElfW(Rel) r;
      memcpy(&r, rows + at, sizeof r);
      if (REL_TYPE(r.r_info) == OWN_IRELATIVE) ok = hf_refuse(why, "resolves functions while it is loaded (IFUNC)");
    }
    hf_mem_free(rows);
    if (!ok) return false;
  }
  return true;
}

static bool check_names(struct image *im) {
  char *why = im->facts->why;
  uint64_t n;
  if (!im->has[DT_STRTAB] || !im->has[DT_SYMTAB] || !im->tag[DT_STRSZ] || im->tag[DT_STRSZ] > STR_MAX)
    return hf_refuse(why, "is damaged: absurd symbol table");
  if (!count_symbols(im, &n)) return false;
  char *strings = get_block(im, im->tag[DT_STRTAB], im->tag[DT_STRSZ], "string table");
  if (!strings) return false;
  ElfW(Sym) *sym = get_block(im, im->tag[DT_SYMTAB], n * sizeof *sym, "symbol table");
  bool ok = sym != NULL;
  if (ok && strings[im->tag[DT_STRSZ] - 1]) ok = hf_refuse(why, "is damaged: its string table has no end");
  if (ok) ok = check_needed(im, strings) && check_symbols(im, sym, n, strings);
  hf_mem_free(sym);
  hf_mem_free(strings);
  return ok;
}

/* One file on its way through the rules, in this order. */
struct reading {
  struct image im;
  ElfW(Ehdr) eh;
  const ElfW(Phdr) * dynamic;
};
static bool rule_header(struct reading *r) {
  return read_header(&r->im, &r->eh);
}
static bool rule_whole(struct reading *r) {
  return read_segments(&r->im, &r->dynamic);
}
static bool rule_note(struct reading *r) {
  return read_notes(&r->im);
}
static bool rule_dynamic(struct reading *r) {
  return read_dynamic(&r->im, r->dynamic);
}
static bool rule_arrays(struct reading *r) {
  return check_arrays(&r->im, &r->eh);
}
static bool rule_names(struct reading *r) {
  return check_names(&r->im);
}
static bool rule_resolvers(struct reading *r) {
  return check_relocations(&r->im);
}
static const struct {
  const char *name;
  bool (*holds)(struct reading *);
} rules[] = {
    {"abi/shared-object", rule_header},    {"abi/whole-file", rule_whole},       {"abi/note", rule_note},
    {"abi/nothing-foreign", rule_dynamic}, {"abi/no-constructors", rule_arrays}, {"abi/one-symbol", rule_names},
    {"abi/no-resolvers", rule_resolvers},
};

bool hf_elf_read(int fd, struct hf_facts *f) {
  memset(f, 0, sizeof *f);
  struct stat st;
  f->rule = rules[0].name;
  if (fstat(fd, &st) || !S_ISREG(st.st_mode)) return hf_refuse(f->why, "is not a regular file");
  struct reading r = {.im = {.fd = fd, .size = (uint64_t)st.st_size, .facts = f}};
  for (size_t i = 0; i < HF_COUNT(rules); i++) {
    f->rule = rules[i].name;
    if (!rules[i].holds(&r)) return false;
  }
  f->rule = NULL;
  return true;
}
