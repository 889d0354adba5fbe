# Writes a C file that holds files as bytes: cmake -DROOT=DIR -DFILES=a|b|c -DOUT=file.c -P embed.cmake
string(REPLACE "|" ";" FILES "${FILES}")
set(data "")
set(rows "")
set(n 0)
foreach(file ${FILES})
  file(READ ${ROOT}/${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n"
    bytes "${bytes}")
  string(APPEND data "static const unsigned char file_${n}[] = {${bytes}0};\n")
  string(APPEND rows "  {\"${file}\", file_${n}, sizeof file_${n} - 1},\n")
  math(EXPR n "${n} + 1")
endforeach()
file(WRITE ${OUT} "/* Generated from sdk/templates: what `hf plugin new` writes.\n * Do not edit.\n */\n\
#include \"templates.h\"\n\n${data}\nconst struct hf_template hf_templates[] = {\n${rows}  {0}};\n")
