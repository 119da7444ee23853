/*
 * What the command does to its own process before it holds a secret, and undoes before it
 * becomes another program.
 */
#ifndef IBMIAM_PROCESS_H
#define IBMIAM_PROCESS_H

/* No core dumps, no debugger of the same user; and descriptors 0 to 2 are taken, so that no
 * socket becomes standard output.  Called once, first. */
void process_protect(void);

/* The limit of core dumps as it was. */
void process_restore(void);

#endif
