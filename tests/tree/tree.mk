# Slower looks at the same code, each a target of its own.

analyze: deps
	@tests/deps clang-tidy cppcheck
	@tests/tree/analyze

# valgrind on the module in a real pamtester and on a resident broker; ASan and UBSan where they can look: the unit tests, and the module and the broker in
# hosts of our own.  The real sshd, sudo and su cannot load an instrumented module, and
# hell.t measures what the sanitizers change (memory, signals).
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
check-sanitize: deps
	@tests/deps valgrind
	@$(MAKE) --no-print-directory BUILD='$(BUILD)-sanitize' SANITIZE='$(SANITIZERS)' \
		T='$$(UNIT_TESTS) $$(FAULT_TESTS) $$(FUZZ_REPLAYS) $(addprefix tests/module/,cases.t iam.t stash.t access.t access_resident.t) \
			$(addprefix tests/tool/,session.t login.t pam.t) \
			$(addprefix tests/resident/,isolation.t reload.t renewal.t)' \
		check-built
	@$(MAKE) --no-print-directory T='tests/hosts/valgrind.t tests/resident/valgrind.t' check-built

# Clang's source-based coverage: its counters are mapped before the broker enters its
# sandbox, so they count in there too, where gcov could not write its files.  The tests of
# the module by an ordinary user come first, so that the counters' files are his and
# root's alike.  A few tests fail here, because they look at what the counting changes
# (the environment, open files): that does not stop the report.
COVERED := $(abspath $(BUILD)-coverage)
COVER   := -fprofile-instr-generate=$(COVERED)/profile/%m%c.profraw -fcoverage-mapping \
	-mllvm -runtime-counter-relocation -Wno-unused-command-line-argument
BY_USER := $(addprefix tests/module/,cases.t iam.t stash.t broker.t hell.t) \
	$(addprefix tests/tool/,session.t login.t)
COUNTED := $(BY_USER) $(filter-out $(BY_USER) %/structure.t tests/tree/% tests/iam/%,$(wildcard tests/*/*.t))
coverage: deps
	@tests/deps clang llvm libclang-rt-14-dev
	@rm -rf $(COVERED)/profile && mkdir -p $(COVERED)/profile && chmod 1777 $(COVERED)/profile
	-@$(MAKE) --no-print-directory BUILD=$(COVERED) CC=clang CFLAGS='-O1 -g $(COVER)' \
		T='$(COUNTED) $$(UNIT_TESTS)' check-built
	@tests/tree/coverage $(COVERED)

.PHONY: analyze check-sanitize coverage
