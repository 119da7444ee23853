/*
 * Errors on demand: the linker sends every call that our own objects make to the functions
 * of wrap.c, and a target says which of the next calls is to fail.  So the paths run that
 * a full memory or a broken disk would take.  Libraries are not affected.
 */
#ifndef IBMIAM_FUZZ_WRAP_H
#define IBMIAM_FUZZ_WRAP_H

#include <stdbool.h>
#include <stddef.h>

/* The n-th call from now fails, 0 for none; whatever was asked for before is forgotten. */
void wrap_fail(unsigned int n);

/* Has it come to that call since?  Ends the waiting. */
bool wrap_failed(void);

/* Bytes in mappings that have been made and not released: secrets, which no leak checker
 * of malloc() sees. */
size_t wrap_mapped(void);

#endif
