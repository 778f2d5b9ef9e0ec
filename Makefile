# `make demo` and `make test` are all the set-up there is: what is missing is installed, or the exact line is printed.
.PHONY: demo console test bench safety fuzz ci fmt

CARGO ?= cargo
PROFILE := --release

demo:
	@./scripts/need.sh build
	@$(CARGO) run $(PROFILE) -- demo $(ARGS)

console:
	@./scripts/need.sh build console
	@$(CARGO) run $(PROFILE) -p operator-console --bin takeover-console -- $(ARGS)

test:
	@./scripts/need.sh build console test
	@./scripts/test.sh

bench:
	@./scripts/need.sh build
	@$(CARGO) run $(PROFILE) -- bench $(ARGS)

safety:
	@./scripts/need.sh build
	@./scripts/safety.sh $(ARGS)

fuzz:
	@./scripts/need.sh build
	@./scripts/fuzz.sh $(ARGS)

ci:
	@./.ci/run

fmt:
	@$(CARGO) fmt --all
