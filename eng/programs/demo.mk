PATH := $(APPLETS)
export PATH
objects := one.o two.o three.o
all: $(objects)
	cat $^ >all.out
	cat all.out
%.o: %.src
	tr a-z A-Z <$< >$@
%.src:
	echo source of $* >$@
.SECONDARY:
