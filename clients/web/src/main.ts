import { mount } from "svelte";
import App from "./App.svelte";
import { follow } from "./app/route.svelte";

const target = document.getElementById("app");
if (!target) throw new Error("the page has no place for the app");
follow();
mount(App, { target });
