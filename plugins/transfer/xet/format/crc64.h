/* crc64.h - CRC-64/NVME, which upload grants want of a body.
 * Reflected, all ones in and out; of "123456789" it is ae8b14860a799888.
 * Continue: pass the last result as `before`; 0 begins. */
#ifndef XET_CRC64_H
#define XET_CRC64_H
#include <stddef.h>
#include <stdint.h>
uint64_t xet_crc64(uint64_t before, const void *data, size_t len);
#endif
