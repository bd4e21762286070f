class legacy {
  notify { "legacy": }
}
