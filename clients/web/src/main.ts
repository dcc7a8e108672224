import { mount } from "svelte";
import App from "./App.svelte";
import { follow, route } from "./app/route.svelte";
import { speak } from "./app/spoken.svelte";

const target = document.getElementById("app");
if (!target) throw new Error("the page has no place for the app");
follow();
await speak(route.language);
mount(App, { target });
